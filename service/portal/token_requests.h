#pragma once

// LM's API-token endpoints as canonical requests (logicmonitor-api, section 4). Pure functions. They fail only when a
// text is not UTF-8 or exceeds a limit of http::CanonicalRequest, which callers have checked before.

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/token.h"
#include "service/http/request.h"

namespace lmbroker::portal {

// The most rows that LM puts on one page (section 7).
inline constexpr int kMostRowsPerPage = 1000;

// One page of a list. LM lists the two types apart: without `type` the LMv1 tokens, with `type=bearer` the Bearer ones.
struct TokenListPage {
  std::optional<std::int32_t> admin;  // unset: the whole portal
  TokenType type = TokenType::kLmv1;
  int offset = 0;
  int size = kMostRowsPerPage;
  std::optional<std::int32_t> only_id;  // at most the token with this id
};

// Rows in ascending order of id: LM keeps no snapshot between pages, and in this order new rows come last.
absl::StatusOr<http::CanonicalRequest> ListTokens(const TokenListPage& page);

absl::StatusOr<http::CanonicalRequest> CreateToken(std::int32_t admin, TokenType type, std::string_view note,
                                                   TokenStatus status);

// The changes are PATCHes that name only what changes: a PUT with a note alone would enable a disabled token
// (section 4.3).
absl::StatusOr<http::CanonicalRequest> PatchNote(std::int32_t admin, std::int32_t token, std::string_view note);
absl::StatusOr<http::CanonicalRequest> PatchStatus(std::int32_t admin, std::int32_t token, TokenStatus status);
// Note and status in one change: the last step of a create, so that the user gets one mail, not two.
absl::StatusOr<http::CanonicalRequest> PatchNoteAndStatus(std::int32_t admin, std::int32_t token, std::string_view note,
                                                          TokenStatus status);

absl::StatusOr<http::CanonicalRequest> DeleteToken(std::int32_t admin, std::int32_t token);

// A read that changes nothing and shows next to nothing (one row, its id), to learn how LM takes a key. It asks for
// what the key is for, so that 403 means something: a master lists tokens, any other key lists devices.
absl::StatusOr<http::CanonicalRequest> ProbeKey(bool master);

}  // namespace lmbroker::portal
