#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <unordered_map>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/crypto/digest.h"
#include "service/identity/service_account.h"

namespace lmbroker::identity {

// What was found out about a token: whose it is, or why it is refused.
using Verdict = absl::StatusOr<std::shared_ptr<const ServiceAccount>>;

// A SHA-256 is as good a hash as any part of it.
struct DigestHash {
  std::size_t operator()(const crypto::Digest& digest) const {
    std::size_t hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return hash;
  }
};

// Verdicts on tokens, by their SHA-256, so that a token is not checked anew with each call. Keeps the 2048 that were
// used last at least, and 4096 at most. Only what a good signature stands behind may be put in: then strangers cannot
// crowd others out. Not synchronised.
class Verdicts {
 public:
  explicit Verdicts(const Clock& clock) : clock_(clock) {}

  // For how long a verdict counts: until the wall clock reaches one, or the monotonic one the other.
  struct Until {
    absl::Time time;
    absl::Duration monotonic = absl::InfiniteDuration();
  };

  // Null when there is none that still counts. Valid until the next call.
  const Verdict* Find(const crypto::Digest& token);
  void Add(const crypto::Digest& token, Verdict verdict, const Until& until);
  void Clear();

 private:
  struct Entry {
    Verdict verdict;
    Until until;
  };
  using Entries = std::unordered_map<crypto::Digest, Entry, DigestHash>;

  Entry& Keep(const crypto::Digest& token, Entry entry);

  const Clock& clock_;
  Entries recent_;
  Entries older_;  // dropped whole when `recent_` is full and takes its place
};

}  // namespace lmbroker::identity
