#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "service/audit/chain.h"
#include "service/audit/marks.h"

namespace lmbroker::audit {

// Where the lines of the chain go. Every sink is given the same lines in the same order; what it could not take it is
// given again. May block for as long as its disk or reader pleases. Not synchronised: it belongs to the one thread that
// writes.
class Sink {
 public:
  // What became of lines: how many bytes of whole lines were taken, and why no more.
  struct Taken {
    std::size_t bytes = 0;
    absl::Status status;
  };
  // Is shown the records that a sink holds; whether it wants to see the one before.
  using Visitor = std::function<bool(const ChainedLine&)>;

  virtual ~Sink() = default;

  // As gap and start records call it, e.g. "audit.jsonl", "stdout", "syslog".
  virtual std::string_view name() const = 0;

  // Takes whole lines. After an error a line may be taken in part: the next call must begin with that line.
  virtual Taken Append(std::string_view lines) = 0;
  // Returns once everything taken is where it survives a crash, as far as the sink can know.
  virtual absl::Status Sync() = 0;

  // Whether what it writes to should end here, with a checkpoint, and begin anew with Rotate.
  virtual bool IsFull() const { return false; }
  virtual absl::Status Rotate() { return absl::OkStatus(); }

  // For sinks that keep what they take: the last record when it was opened, and a fragment behind it. Nothing for the
  // others.
  virtual std::optional<Resumption> Found() const { return std::nullopt; }
  // Shows the records from the last to the first, as far back as they are kept. OK also when the visitor had enough.
  virtual absl::Status ReadBack(const Visitor& visit) const {
    (void)visit;
    return absl::OkStatus();
  }
};

}  // namespace lmbroker::audit
