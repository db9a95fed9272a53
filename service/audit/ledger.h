#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "service/audit/chain.h"
#include "service/audit/checkpoint.h"
#include "service/base/clock.h"

namespace lmbroker::audit {

// Lines of the chain that were made together. Never changes.
struct Segment {
  std::uint64_t index = 0;    // 1, 2, …
  std::uint64_t records = 0;  // of callers, in all segments up to this one
  std::string lines;
  Link last;
};

// Up to where a sink has taken the chain.
struct Position {
  std::uint64_t index = 0;  // of the last segment
  Link last;                // its last record
};

// The chain between callers and sinks: numbers and hashes records once, adds checkpoints, and keeps the lines until
// every sink has them. Not synchronised.
class Ledger {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Pace {
    std::uint64_t records = 4096;   // a checkpoint after so many,
    std::chrono::seconds every{5};  // or so long after the first record behind the last one
  };

  // Goes on behind `last`. The signer and the clock must outlive this.
  Ledger(Pace pace, Link last, CheckpointSigner& signer, const Clock& clock);

  // Makes records into lines, and a checkpoint behind them when it is time for one. `records` counts those of all
  // calls.
  void Seal(std::string_view unnumbered, std::uint64_t records, TimePoint now);
  // Makes a checkpoint when there are records behind the last one and somebody can sign.
  void SealCheckpoint(TimePoint now);

  // The segment that follows `position`, which it becomes; none behind the one with index `most`. What a sink was too
  // late for is gone, and a gap record that says so follows instead.
  std::shared_ptr<const Segment> Next(std::string_view sink, Position& position, std::uint64_t most);
  // Forgets segments up to `taken_by_all`, and up to `taken_by_enough` as far as there are more bytes than
  // `most_bytes`.
  void Forget(std::uint64_t taken_by_all, std::uint64_t taken_by_enough, std::size_t most_bytes);

  const Link& last() const { return last_; }
  std::uint64_t last_index() const { return last_index_; }
  std::uint64_t sealed_bytes() const { return sealed_bytes_; }  // in all segments ever
  // When the next checkpoint is due; TimePoint::max() when nothing is behind the last one.
  TimePoint next_checkpoint() const { return next_checkpoint_; }
  // The latest checkpoint: its line with its newline, and its segment. Empty and 0 before the first.
  const std::string& checkpoint() const { return checkpoint_; }
  std::uint64_t checkpoint_index() const { return checkpoint_index_; }

 private:
  void AddCheckpoint(std::string& lines, TimePoint now);
  void Close(std::string lines);

  const Pace pace_;
  CheckpointSigner& signer_;
  const Clock& clock_;
  Link last_;
  std::deque<std::shared_ptr<const Segment>> segments_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t last_index_ = 0;
  std::uint64_t sealed_bytes_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t unchecked_ = 0;  // records behind the last checkpoint
  TimePoint next_checkpoint_ = TimePoint::max();
  std::string checkpoint_;
  std::uint64_t checkpoint_index_ = 0;
};

}  // namespace lmbroker::audit
