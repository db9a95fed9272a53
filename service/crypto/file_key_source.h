#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/base/random.h"
#include "service/crypto/key_source.h"
#include "service/crypto/ring_lock.h"

namespace lmbroker::crypto {

// A key ring file. Of a passphrase it remembers the key that scrypt made of it, which opens later versions of the same
// file.
class FileKeySource final : public KeySource {
 public:
  // `random` must outlive it, and the keys that it gives.
  FileKeySource(std::string path, Random& random) : path_(std::move(path)), random_(random) {}

  absl::StatusOr<Keys> Open(const Secret& passphrase) override;
  void Forget() override { lock_.reset(); }
  std::vector<std::string> files() const override { return {path_}; }

 private:
  const std::string path_;
  Random& random_;
  std::optional<RingLock> lock_;
};

}  // namespace lmbroker::crypto
