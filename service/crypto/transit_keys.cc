#include "service/crypto/transit_keys.h"

#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/digest.h"
#include "service/crypto/transit_text.h"

namespace lmbroker::crypto {
namespace {

constexpr HttpsService::Kind kTransitServer = {.name = "the key service",
                                               .token_header = "X-Vault-Token: ",
                                               .header = "X-Vault-Request: true",
                                               .most_reply_bytes = std::size_t{16} << 10};
constexpr int kOk = 200;
constexpr int kBadRequest = 400;

// What is kept of one unwrapping is found again only by the same ciphertext with the same associated data.
std::string NameOf(std::string_view ciphertext, std::string_view associated) {
  std::string text = fmt::format("{}:", ciphertext.size());
  text += ciphertext;
  text += associated;
  return std::string(Bytes(Sha256(text)));
}

absl::Status Unavailable(std::string_view why) {
  return Refuse(Reason::kStoreUnavailable,
                fmt::format("The keys that seal the broker's secrets cannot be used now: {}; try again later.", why));
}

}  // namespace

TransitKeys::TransitKeys(Options options, const Clock& clock, Random& random)
    : options_(std::move(options)),
      clock_(clock),
      api_(options_.server, kTransitServer),
      process_key_(Aead::NewKey(random), random) {}

// The body of a reply with status 200.
absl::StatusOr<Secret> TransitKeys::Ask(std::string_view verb, const Secret& request) const {
  absl::StatusOr<HttpsReply> reply =
      api_.Post(fmt::format("/v1/{}/{}/{}", options_.mount, verb, options_.key), request);
  if (!reply.ok()) return Unavailable(ToStd(reply.status().message()));
  if (reply->status == kOk) return std::move(reply->body);
  if (reply->status == kBadRequest) {
    return Refuse(
        Reason::kInternal,
        fmt::format("The key service refuses to {} with key {}: the record was changed, is bound to something "
                    "else, or its key version is not allowed any more.",
                    verb, options_.key));
  }
  std::string_view hint;
  if (reply->status == 403) hint = " (the token may not use the key, or has ended)";
  if (reply->status == 404) hint = " (there is no such mount or key)";
  if (reply->status == 503) hint = " (it is sealed)";
  return Unavailable(fmt::format("the key service at {} answered {}{}", options_.server.address, reply->status, hint));
}

absl::StatusOr<WrappedKey> TransitKeys::Wrap(const Secret& data_key, std::string_view associated) const {
  ASSIGN_OR_RETURN(const Secret reply, Ask("encrypt", EncryptRequest(data_key, associated)));
  std::optional<std::string> ciphertext = CiphertextOf(reply.Reveal());
  const auto version = ciphertext.has_value() ? VersionOf(*ciphertext) : std::nullopt;
  if (!version.has_value()) return Unavailable("the key service gave an answer that is none of Transit");
  primary_.store(*version, std::memory_order_relaxed);
  Keep(NameOf(*ciphertext, associated), data_key);
  return WrappedKey{.key_version = *version, .bytes = *std::move(ciphertext)};
}

absl::StatusOr<Secret> TransitKeys::Unwrap(const WrappedKey& wrapped, std::string_view associated) const {
  if (VersionOf(wrapped.bytes) != wrapped.key_version) {
    return Refuse(Reason::kInternal, "The sealed secret is none of the key service: its record was changed.");
  }
  const std::string name = NameOf(wrapped.bytes, associated);
  if (std::optional<Secret> kept = Recall(name); kept.has_value()) return *std::move(kept);
  ASSIGN_OR_RETURN(Secret data_key, Decrypt(wrapped.bytes, associated));
  Keep(name, data_key);
  return data_key;
}

absl::StatusOr<Secret> TransitKeys::Decrypt(std::string_view ciphertext, std::string_view associated) const {
  ASSIGN_OR_RETURN(const Secret reply, Ask("decrypt", DecryptRequest(ciphertext, associated)));
  std::optional<Secret> data_key = PlaintextOf(reply.Reveal());
  if (!data_key.has_value()) return Unavailable("the key service gave an answer that is none of Transit");
  return *std::move(data_key);
}

absl::Status TransitKeys::Probe() const {
  const Secret probe(std::string(Aead::kKeyBytes, 'p'));
  ASSIGN_OR_RETURN(const WrappedKey wrapped, Wrap(probe, "lmbroker probe"));
  ASSIGN_OR_RETURN(const Secret unwrapped, Decrypt(wrapped.bytes, "lmbroker probe"));
  if (unwrapped == probe) return absl::OkStatus();
  return Unavailable("the key service decrypts to something else than it encrypted");
}

std::optional<Secret> TransitKeys::Recall(const std::string& name) const {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(name);
  if (found == kept_.end() || found->second.until <= clock_.Monotonic()) return std::nullopt;
  return process_key_.Open(found->second.sealed, name);
}

void TransitKeys::Keep(const std::string& name, const Secret& data_key) const {
  if (options_.cache <= absl::ZeroDuration()) return;
  const absl::Duration now = clock_.Monotonic();
  Kept kept{.sealed = process_key_.Seal(data_key.Reveal(), name), .until = now + options_.cache};
  const MutexLock lock(mutex_);
  if (kept_.insert_or_assign(name, std::move(kept)).second) order_.push_back(name);
  while (!order_.empty() && (order_.size() > options_.most_cached || kept_.at(order_.front()).until <= now)) {
    kept_.erase(order_.front());
    order_.pop_front();
  }
}

}  // namespace lmbroker::crypto
