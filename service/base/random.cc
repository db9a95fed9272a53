#include "service/base/random.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <openssl/rand.h>

namespace lmbroker {

void SystemRandom::Fill(std::span<std::byte> out) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1) std::abort();
}

void BufferedRandom::Fill(std::span<std::byte> out) {
  if (out.size() > kAhead) return source_.Fill(out);
  const MutexLock lock(mutex_);
  if (bytes_.size() - used_ < out.size()) {
    source_.Fill(bytes_);
    used_ = 0;
  }
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(used_), out.size(), out.begin());
  used_ += out.size();
}

std::string RandomUuid(Random& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::byte, 16> bytes{};
  random.Fill(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0F}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3F}) | std::byte{0x80};
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[std::to_integer<std::size_t>(bytes[i] >> 4)];
    text += kHex[std::to_integer<std::size_t>(bytes[i] & std::byte{0x0F})];
  }
  return text;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace lmbroker
