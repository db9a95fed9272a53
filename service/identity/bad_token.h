#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::identity {

// BAD_TOKEN; `problem` completes "The token in `authorization` …". Says nothing of what the token holds.
inline absl::Status BadToken(std::string_view problem, RefusalDetails details = {}) {
  return Refuse(
      Reason::kBadToken,
      fmt::format("The token in `authorization` {}; present a current service account token for this broker.", problem),
      std::move(details));
}

}  // namespace lmbroker::identity
