#include "service/crypto/openssl_ptr.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <openssl/err.h>

namespace lmbroker::crypto {

std::string TakeOpensslErrors() {
  std::string text;
  while (const unsigned long error = ERR_get_error()) {
    std::array<char, 256> line{};
    ERR_error_string_n(error, line.data(), line.size());
    if (!text.empty()) text += "; ";
    text += line.data();
  }
  return text.empty() ? "no details" : text;
}

void CheckOpenssl(bool ok, std::string_view call) {
  if (ok) return;
  fmt::print(stderr, "lmbroker: {} failed: {}\n", call, TakeOpensslErrors());
  std::abort();
}

}  // namespace lmbroker::crypto
