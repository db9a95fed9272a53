#include "service/portal/secret_forms.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace lmbroker::portal {
namespace {

constexpr std::string_view kMask = "****";
constexpr std::string_view kUpperHex = "0123456789ABCDEF";
constexpr std::string_view kLowerHex = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::uint8_t Byte(std::string_view text, std::size_t i) { return static_cast<std::uint8_t>(text[i]); }

Secret Hex(std::string_view secret, std::string_view digits) {
  Secret out = Secret::WithSize(2 * secret.size());
  for (std::size_t i = 0; i < secret.size(); ++i) {
    out.data()[2 * i] = digits[Byte(secret, i) >> 4];
    out.data()[2 * i + 1] = digits[Byte(secret, i) & 0xFU];
  }
  return out;
}

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

Secret Percent(std::string_view secret, std::string_view digits) {
  std::size_t size = 0;
  for (const char c : secret) size += IsUnreserved(c) ? 1 : 3;
  Secret out = Secret::WithSize(size);
  char* at = out.data();
  for (std::size_t i = 0; i < secret.size(); ++i) {
    if (IsUnreserved(secret[i])) {
      *at++ = secret[i];
      continue;
    }
    *at++ = '%';
    *at++ = digits[Byte(secret, i) >> 4];
    *at++ = digits[Byte(secret, i) & 0xFU];
  }
  return out;
}

// The base64 digits that the secret alone decides when `before` bytes (0 to 2) precede it in its group.
Secret Base64Core(std::string_view secret, std::size_t before, std::string_view digits) {
  const std::size_t first = (before * 8 + 5) / 6;
  const std::size_t last = (before + secret.size()) * 8 / 6;
  const auto byte_at = [&](std::size_t i) -> unsigned {
    return i < before || i >= before + secret.size() ? 0 : Byte(secret, i - before);
  };
  Secret out = Secret::WithSize(last - first);
  for (std::size_t digit = first; digit < last; ++digit) {
    const std::size_t bit = digit * 6;
    const unsigned two_bytes = (byte_at(bit / 8) << 8) | byte_at(bit / 8 + 1);
    out.data()[digit - first] = digits[(two_bytes >> (10 - bit % 8)) & 0x3FU];
  }
  return out;
}

std::size_t Find(std::string_view text, std::string_view form, std::size_t from) {
  const void* found = memmem(text.data() + from, text.size() - from, form.data(), form.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

bool MaskOne(std::string& text, std::string_view form) {
  std::size_t at = Find(text, form, 0);
  if (at == std::string_view::npos) return false;
  std::string masked;
  std::size_t done = 0;
  for (; at != std::string_view::npos; at = Find(text, form, done)) {
    masked.append(text, done, at - done).append(kMask);
    done = at + form.size();
  }
  masked.append(text, done);
  Wipe(text.data(), text.size());
  text = std::move(masked);
  return true;
}

}  // namespace

SecretForms::SecretForms(const Secret& secret) {
  const std::string_view plain = secret.Reveal();
  if (plain.size() < kShortest) return;
  const auto add = [this](Secret form) {
    for (const Secret& known : forms_) {
      if (known == form) return;
    }
    forms_.push_back(std::move(form));
  };
  add(secret.Duplicate());
  for (const std::string_view digits : {kUpperHex, kLowerHex}) {
    add(Percent(plain, digits));
    add(Hex(plain, digits));
  }
  for (const std::string_view digits : {kBase64, kBase64Url}) {
    for (std::size_t before = 0; before < 3; ++before) add(Base64Core(plain, before, digits));
  }
}

bool SecretForms::FoundIn(std::string_view text) const {
  for (const Secret& form : forms_) {
    if (Find(text, form.Reveal(), 0) != std::string_view::npos) return true;
  }
  return false;
}

bool SecretForms::Mask(std::string& text) const {
  bool found = false;
  for (const Secret& form : forms_) found = MaskOne(text, form.Reveal()) || found;
  return found;
}

}  // namespace lmbroker::portal
