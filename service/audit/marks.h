#pragma once

// The records that the log writes about itself, in the form in which records wait for their number (line.h).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

#include "service/audit/chain.h"

namespace lmbroker::audit {

// What is in a file behind its last record and is none: a write that a crash cut short.
struct Fragment {
  std::uint64_t bytes = 0;  // without the newline that closes it
  std::string digest;       // SHA-256 in hex
  bool operator==(const Fragment&) const = default;
};

// Says of one sink that it goes on here, and what it holds: a last record other than the chain's, or a fragment.
struct Resumption {
  std::string sink;
  Link last;
  std::optional<Fragment> fragment;
  bool operator==(const Resumption&) const = default;
};

// The first record of a run. `closed` open intents get their outcome behind it. Its reason is FRAGMENT_CLOSED when a
// sink had a fragment.
void AppendStart(std::string& out, absl::Time time, const std::vector<Resumption>& resumptions, std::size_t closed);

// A sink that missed records goes on with this one.
void AppendGap(std::string& out, absl::Time time, const Resumption& resumption);

void AppendStop(std::string& out, absl::Time time);

// The outcome of an intent that was read back: that nobody knows it.
void AppendUnknownOutcome(std::string& out, absl::Time time, const ChainedLine& intent);

// What a start or gap record says of sinks; nothing when its text is not as written above.
std::optional<std::vector<Resumption>> ReadResumptions(const ChainedLine& line);

// How many intents a start record closes.
std::size_t ReadClosed(const ChainedLine& start);

}  // namespace lmbroker::audit
