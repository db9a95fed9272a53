#include "service/crypto/transit_key_source.h"

#include "service/base/status_macros.h"

namespace lmbroker::crypto {
namespace {

constexpr absl::Duration kPollInterval = absl::Minutes(1);

}  // namespace

absl::StatusOr<KeySource::Keys> TransitKeySource::Open(const Secret&) {
  auto keys = std::make_shared<const TransitKeys>(options_, clock_, random_);
  RETURN_IF_ERROR(keys->Probe());
  keys_ = keys;
  polled_ = clock_.Monotonic();
  return Keys{.wrapper = std::move(keys), .audit_seed = std::nullopt, .has_place_for_audit_key = false};
}

void TransitKeySource::Poll() {
  if (keys_ == nullptr || clock_.Monotonic() < polled_ + kPollInterval) return;
  polled_ = clock_.Monotonic();
  (void)keys_->Probe();  // whoever needs the server next is told what is wrong with it
}

std::vector<std::string> TransitKeySource::files() const {
  std::vector<std::string> files = {options_.server.token_file};
  if (!options_.server.ca.empty()) files.push_back(options_.server.ca);
  return files;
}

}  // namespace lmbroker::crypto
