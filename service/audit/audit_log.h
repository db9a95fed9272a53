#pragma once

#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

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
  // known to be broken. `done` runs on this thread or on the log's own.
  virtual void Write(Record record, Durability durability, Done done) = 0;

  // Whether records reach the disk at the moment; the error otherwise. For status and readiness.
  virtual absl::Status Health() const = 0;
};

}  // namespace lmbroker::audit
