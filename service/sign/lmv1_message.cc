#include "service/sign/lmv1_message.h"

#include <fmt/format.h>

#include "service/crypto/digest.h"

namespace lmbroker::sign {

std::string Lmv1Epoch(absl::Time now) { return std::to_string(absl::ToUnixMillis(now)); }

Lmv1Message MakeLmv1Message(const http::CanonicalRequest& request, std::string_view epoch) {
  return {.method = http::MethodName(request.method()),
          .epoch = epoch,
          .body = request.signed_body(),
          .path = request.path().decoded()};
}

std::string WithoutBody(const Lmv1Message& message) {
  return fmt::format("{}{}{}{}", message.method, message.epoch, crypto::Sha256Hex(message.body), message.path);
}

}  // namespace lmbroker::sign
