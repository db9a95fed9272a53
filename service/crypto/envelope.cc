#include "service/crypto/envelope.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/crypto/aead.h"

namespace lmbroker::crypto {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kMostWrappedBytes = 0xFFFF;

void AppendBigEndian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFF);
}

std::uint32_t ReadBigEndian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<std::uint8_t>(c);
  return value;
}

std::string_view PurposeName(Purpose purpose) {
  switch (purpose) {
    case Purpose::kAccessKey:
      return "access key";
    case Purpose::kBearerToken:
      return "bearer token";
  }
  return "";
}

// Each part is preceded by its length, so no two lists of parts give the same bytes.
void AppendPart(std::string& out, std::string_view part) {
  AppendBigEndian(out, part.size(), 4);
  out += part;
}

std::string CredentialData(std::string_view layer, const Binding& binding) {
  std::string out;
  AppendPart(out, "lmbroker envelope 1");
  AppendPart(out, layer);
  AppendPart(out, PurposeName(binding.purpose));
  AppendPart(out, binding.credential.portal().id());
  AppendPart(out, binding.credential.id());
  AppendBigEndian(out, static_cast<std::uint64_t>(binding.version), 8);
  return out;
}

// The first part differs from that of credentials, so that neither opens as the other.
std::string ValueData(std::string_view layer, const ValueBinding& binding) {
  std::string out;
  AppendPart(out, "lmbroker value 1");
  AppendPart(out, layer);
  AppendPart(out, binding.name);
  return out;
}

// The parts of a sealed secret, as views into it.
struct Parts {
  std::uint32_t key_version = 0;
  std::string_view wrapped_key;
  std::string_view sealed;
};

std::optional<Parts> Split(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] != kFormat) return std::nullopt;
  const std::size_t wrapped_size = ReadBigEndian(bytes.substr(5, 2));
  const std::string_view rest = bytes.substr(kHeaderBytes);
  if (rest.size() < wrapped_size) return std::nullopt;
  return Parts{.key_version = ReadBigEndian(bytes.substr(1, 4)),
               .wrapped_key = rest.substr(0, wrapped_size),
               .sealed = rest.substr(wrapped_size)};
}

// The inverse of Split; `sealed` is the secret under its data key.
absl::StatusOr<SealedSecret> Join(const WrappedKey& wrapped, std::string_view sealed) {
  if (wrapped.bytes.size() > kMostWrappedBytes) {
    return Refuse(Reason::kInternal, "The key service wraps a data key in more than 64 KiB; check its configuration.");
  }
  SealedSecret joined{.bytes = {kFormat}, .key_version = wrapped.key_version};
  AppendBigEndian(joined.bytes, wrapped.key_version, 4);
  AppendBigEndian(joined.bytes, wrapped.bytes.size(), 2);
  joined.bytes += wrapped.bytes;
  joined.bytes += sealed;
  return joined;
}

absl::Status DoesNotOpen(const Binding& binding) {
  return Refuse(Reason::kInternal, fmt::format("The sealed secret of {} does not open: its record was changed; restore "
                                               "it from a backup, or delete the credential and import it again.",
                                               binding.credential.ToString()));
}

absl::Status DoesNotOpen(const ValueBinding& binding) {
  return Refuse(Reason::kInternal, fmt::format("The sealed {} does not open: its record was changed, or another key "
                                               "ring sealed it; restore the database from a backup.",
                                               binding.name));
}

}  // namespace

Envelope::Associated Envelope::AssociatedOf(const Binding& binding) {
  return {.data_key = CredentialData("data key", binding), .secret = CredentialData("secret", binding)};
}

Envelope::Associated Envelope::AssociatedOf(const ValueBinding& binding) {
  return {.data_key = ValueData("data key", binding), .secret = ValueData("secret", binding)};
}

absl::StatusOr<SealedSecret> Envelope::Seal(const Secret& secret, const Binding& binding) const {
  return SealWith(secret, AssociatedOf(binding));
}

absl::StatusOr<SealedSecret> Envelope::Seal(const Secret& secret, const ValueBinding& binding) const {
  return SealWith(secret, AssociatedOf(binding));
}

absl::StatusOr<Secret> Envelope::Open(const SealedSecret& sealed, const Binding& binding) const {
  ASSIGN_OR_RETURN(std::optional<Secret> secret, OpenWith(sealed, AssociatedOf(binding)));
  if (!secret.has_value()) return DoesNotOpen(binding);
  return *std::move(secret);
}

absl::StatusOr<Secret> Envelope::Open(const SealedSecret& sealed, const ValueBinding& binding) const {
  ASSIGN_OR_RETURN(std::optional<Secret> secret, OpenWith(sealed, AssociatedOf(binding)));
  if (!secret.has_value()) return DoesNotOpen(binding);
  return *std::move(secret);
}

absl::StatusOr<SealedSecret> Envelope::Rewrap(const SealedSecret& sealed, const Binding& binding) const {
  ASSIGN_OR_RETURN(std::optional<SealedSecret> again, RewrapWith(sealed, AssociatedOf(binding)));
  if (!again.has_value()) return DoesNotOpen(binding);
  return *std::move(again);
}

absl::StatusOr<SealedSecret> Envelope::Rewrap(const SealedSecret& sealed, const ValueBinding& binding) const {
  ASSIGN_OR_RETURN(std::optional<SealedSecret> again, RewrapWith(sealed, AssociatedOf(binding)));
  if (!again.has_value()) return DoesNotOpen(binding);
  return *std::move(again);
}

absl::StatusOr<SealedSecret> Envelope::SealWith(const Secret& secret, const Associated& associated) const {
  Secret data_key = Aead::NewKey(*random_);
  ASSIGN_OR_RETURN(const WrappedKey wrapped, keys_->Wrap(data_key, associated.data_key));
  return Join(wrapped, Aead(std::move(data_key), *random_).Seal(secret.Reveal(), associated.secret));
}

absl::StatusOr<std::optional<Secret>> Envelope::OpenWith(const SealedSecret& sealed,
                                                         const Associated& associated) const {
  const std::optional<Parts> parts = Split(sealed.bytes);
  if (!parts.has_value() || parts->key_version != sealed.key_version) return std::nullopt;
  const WrappedKey wrapped{.key_version = parts->key_version, .bytes = std::string(parts->wrapped_key)};
  ASSIGN_OR_RETURN(Secret data_key, keys_->Unwrap(wrapped, associated.data_key));
  if (data_key.size() != Aead::kKeyBytes) return std::nullopt;
  return Aead(std::move(data_key), *random_).Open(parts->sealed, associated.secret);
}

absl::StatusOr<std::optional<SealedSecret>> Envelope::RewrapWith(const SealedSecret& sealed,
                                                                 const Associated& associated) const {
  const std::optional<Parts> parts = Split(sealed.bytes);
  if (!parts.has_value() || parts->key_version != sealed.key_version) return std::nullopt;
  const WrappedKey wrapped{.key_version = parts->key_version, .bytes = std::string(parts->wrapped_key)};
  ASSIGN_OR_RETURN(const Secret data_key, keys_->Unwrap(wrapped, associated.data_key));
  ASSIGN_OR_RETURN(const WrappedKey again, keys_->Wrap(data_key, associated.data_key));
  return Join(again, parts->sealed);
}

}  // namespace lmbroker::crypto
