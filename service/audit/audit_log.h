#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/audit/record.h"

namespace lmbroker::audit {

enum class Durability {
  kFlushedSoon,  // on disk within a second: reads, ingest, outcomes, refusals
  kOnDisk,       // `done` waits for the disk: intents of mutations
};

// Where records go. Numbers them (`seq`) in the order of the calls. Safe for concurrent use.
class AuditLog {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  virtual ~AuditLog() = default;

  // Takes one record. With kOnDisk calls `done` once, after the disk has it, or with AUDIT_UNAVAILABLE when that
  // failed or took longer than 250 ms; with kFlushedSoon calls it at once, with AUDIT_UNAVAILABLE while the log is
  // known to be broken. A record that was refused so may still reach the disk later: it says what was intended, and the
  // outcome of the same id says that it was not done. `done` runs on this thread or on the log's own, which waits for
  // it; it must be quick and must not destroy the log.
  virtual void Write(const Record& record, Durability durability, Done done) = 0;

  // Whether records reach the disk at the moment; the error otherwise. For status and readiness.
  virtual absl::Status Health() const = 0;

  // How long the oldest record that is not on disk yet has waited.
  virtual absl::Duration Lag() const = 0;
};

// Write for threads that may block; waits at most as long as Write promises.
absl::Status WriteAndWait(AuditLog& log, const Record& record, Durability durability);

// AUDIT_UNAVAILABLE, as every log says it.
absl::Status AuditUnavailable();

}  // namespace lmbroker::audit
