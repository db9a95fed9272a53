#include "service/identity/issuer_keys.h"

#include <utility>

#include "service/base/text.h"
#include "service/crypto/digest.h"

namespace lmbroker::identity {

std::shared_ptr<const KeySet> IssuerKeys::Get() const {
  const MutexLock lock(mutex_);
  return keys_;
}

absl::Status IssuerKeys::Take(std::string_view text) {
  std::string digest = crypto::Sha256Hex(text);
  auto keys = KeySet::Parse(text);
  const MutexLock lock(mutex_);
  error_ = std::string(keys.status().message());
  if (!keys.ok() || digest == digest_) return keys.status();
  keys_ = std::make_shared<const KeySet>(*std::move(keys));
  digest_ = std::move(digest);
  generation_.fetch_add(1, std::memory_order_release);
  return absl::OkStatus();
}

void IssuerKeys::Keep(std::string error) {
  const MutexLock lock(mutex_);
  error_ = std::move(error);
}

std::string IssuerKeys::error() const {
  const MutexLock lock(mutex_);
  return error_;
}

}  // namespace lmbroker::identity
