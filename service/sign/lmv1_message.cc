#include "service/sign/lmv1_message.h"

namespace lmbroker::sign {

std::string Lmv1Epoch(absl::Time now) { return std::to_string(absl::ToUnixMillis(now)); }

Lmv1Message MakeLmv1Message(const http::CanonicalRequest& request, std::string_view epoch) {
  return {.method = http::MethodName(request.method()),
          .epoch = epoch,
          .body = request.signed_body(),
          .path = request.path().decoded()};
}

}  // namespace lmbroker::sign
