#include "service/portal/secret_forms.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace lmbroker::portal {
namespace {

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

// Wu and Manber's search for many patterns (1994): the block of bytes at the end of a window as long as the shortest
// pattern says how far the window may move without missing one, mostly by almost its whole length.
constexpr std::size_t kBlock = 3;
constexpr std::size_t kShifts = 1024;

std::size_t HashBlock(const char* at) {
  const auto byte = [at](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(at[i])); };
  return (byte(0) ^ (byte(1) << 4) ^ (byte(2) << 7)) % kShifts;
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
  BuildShifts();
}

void SecretForms::BuildShifts() {
  const auto [shortest, longest] = std::minmax_element(
      forms_.begin(), forms_.end(), [](const Secret& a, const Secret& b) { return a.size() < b.size(); });
  shortest_ = shortest->size();
  longest_ = longest->size();
  const std::size_t most = std::min<std::size_t>(shortest_ - kBlock + 1, 255);
  shifts_ = Secret::WithSize(kShifts);
  std::memset(shifts_.data(), static_cast<int>(most), kShifts);
  for (const Secret& form : forms_) {
    for (std::size_t at = 0; at + kBlock <= shortest_; ++at) {
      const std::size_t shift = std::min(shortest_ - kBlock - at, most);
      char& known = shifts_.data()[HashBlock(form.Reveal().data() + at)];
      if (shift < static_cast<unsigned char>(known)) known = static_cast<char>(shift);
    }
  }
}

std::size_t SecretForms::Search(const Window& window, std::size_t from, std::vector<Span>& found) const {
  if (forms_.empty()) return window.end();
  const std::string_view text = window.text;
  const std::string_view shifts = shifts_.Reveal();
  // Where more may come, only starts behind which any form would fit are judged: the result does not depend on how
  // the text was cut.
  const std::size_t room = window.last ? shortest_ : longest_;
  std::size_t at = from - window.offset;
  while (at + room <= text.size()) {
    const std::size_t shift = static_cast<unsigned char>(shifts[HashBlock(text.data() + at + shortest_ - kBlock)]);
    if (shift > 0) {
      at += shift;
      continue;
    }
    for (const Secret& form : forms_) {
      if (text.substr(at, form.size()) != form.Reveal()) continue;
      found.push_back({window.offset + at, window.offset + at + form.size()});
    }
    ++at;
  }
  return window.offset + (window.last ? text.size() : at);
}

}  // namespace lmbroker::portal
