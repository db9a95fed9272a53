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

// The associated data of one `layer`. Each part is preceded by its length, so no two bindings give the same bytes.
std::string Associated(std::string_view layer, const Binding& binding) {
  std::string out;
  const auto append = [&out](std::string_view part) {
    AppendBigEndian(out, part.size(), 4);
    out += part;
  };
  append("lmbroker envelope 1");
  append(layer);
  append(PurposeName(binding.purpose));
  append(binding.credential.portal().id());
  append(binding.credential.id());
  AppendBigEndian(out, static_cast<std::uint64_t>(binding.version), 8);
  return out;
}

std::string DataKeyData(const Binding& binding) { return Associated("data key", binding); }
std::string SecretData(const Binding& binding) { return Associated("secret", binding); }

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

absl::Status DoesNotOpen(const Binding& binding) {
  return Refuse(Reason::kInternal, fmt::format("The sealed secret of {} does not open: its record was changed; restore "
                                               "it from a backup, or delete the credential and import it again.",
                                               binding.credential.ToString()));
}

}  // namespace

absl::StatusOr<SealedSecret> Envelope::Seal(const Secret& secret, const Binding& binding) const {
  Secret data_key = Aead::NewKey(*random_);
  ASSIGN_OR_RETURN(const WrappedKey wrapped, keys_->Wrap(data_key, DataKeyData(binding)));
  if (wrapped.bytes.size() > kMostWrappedBytes) {
    return Refuse(Reason::kInternal, "The key service wraps a data key in more than 64 KiB; check its configuration.");
  }
  SealedSecret sealed{.bytes = {kFormat}, .key_version = wrapped.key_version};
  AppendBigEndian(sealed.bytes, wrapped.key_version, 4);
  AppendBigEndian(sealed.bytes, wrapped.bytes.size(), 2);
  sealed.bytes += wrapped.bytes;
  sealed.bytes += Aead(std::move(data_key), *random_).Seal(secret.Reveal(), SecretData(binding));
  return sealed;
}

absl::StatusOr<Secret> Envelope::Open(const SealedSecret& sealed, const Binding& binding) const {
  const std::optional<Parts> parts = Split(sealed.bytes);
  if (!parts.has_value() || parts->key_version != sealed.key_version) return DoesNotOpen(binding);
  const WrappedKey wrapped{.key_version = parts->key_version, .bytes = std::string(parts->wrapped_key)};
  ASSIGN_OR_RETURN(Secret data_key, keys_->Unwrap(wrapped, DataKeyData(binding)));
  if (data_key.size() != Aead::kKeyBytes) return DoesNotOpen(binding);
  std::optional<Secret> secret = Aead(std::move(data_key), *random_).Open(parts->sealed, SecretData(binding));
  if (!secret.has_value()) return DoesNotOpen(binding);
  return *std::move(secret);
}

}  // namespace lmbroker::crypto
