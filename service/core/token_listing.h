#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "service/core/portal_session.h"
#include "service/portal/token_replies.h"

namespace lmbroker::core {

// Which tokens of a portal.
struct TokenSelection {
  std::optional<std::int32_t> admin;  // unset: all
  std::optional<TokenType> type;      // unset: both
  auto operator<=>(const TokenSelection&) const = default;
};

inline constexpr std::size_t kMostTokens = 100'000;

// Reads LM's whole list, both types merged, in ascending order of id. LM keeps no snapshot between pages, so rows shift
// when tokens come and go. Each page therefore overlaps the one before by one row; when that row is not the expected
// one, something before it was deleted and the list is read anew.
// UNKNOWN_ADMIN; TOO_MANY_TOKENS beyond kMostTokens; PORTAL_ERROR when the list keeps moving; all of Send.
absl::StatusOr<std::vector<portal::LmToken>> ReadTokens(PortalSession& session, const TokenSelection& selection);

}  // namespace lmbroker::core
