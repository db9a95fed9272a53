#include "service/core/token_listing.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

constexpr int kMostReadings = 5;

absl::Status TooMany() {
  return Refuse(
      Reason::kTooManyTokens,
      fmt::format("The portal has more than {} tokens there, the most that the broker lists; list by admin or "
                  "type.",
                  kMostTokens));
}

absl::StatusOr<portal::LmTokenPage> ReadPage(PortalSession& session, std::optional<std::int32_t> admin, TokenType type,
                                             std::size_t offset) {
  ASSIGN_OR_RETURN(http::CanonicalRequest request,
                   portal::ListTokens({.admin = admin, .type = type, .offset = static_cast<int>(offset)}));
  ASSIGN_OR_RETURN(http::Response reply,
                   session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownAdmin));
  return portal::ParseTokenPage(std::move(reply), type, admin);
}

// Adds a page to the rows that are read already, of which it must repeat the last one. False when it does not: the rows
// have shifted.
bool Append(std::vector<portal::LmToken>& rows, std::vector<portal::LmToken> page) {
  auto next = page.begin();
  if (!rows.empty()) {
    if (page.empty() || page.front().id != rows.back().id) return false;
    ++next;
  }
  rows.insert(rows.end(), std::make_move_iterator(next), std::make_move_iterator(page.end()));
  return true;
}

// One reading of one of LM's lists; nothing when its rows shifted meanwhile.
absl::StatusOr<std::optional<std::vector<portal::LmToken>>> ReadOnce(PortalSession& session,
                                                                     std::optional<std::int32_t> admin,
                                                                     TokenType type) {
  std::vector<portal::LmToken> rows;
  for (;;) {
    const std::size_t before = rows.size();
    ASSIGN_OR_RETURN(portal::LmTokenPage page, ReadPage(session, admin, type, before == 0 ? 0 : before - 1));
    if (!Append(rows, std::move(page.tokens))) return std::nullopt;
    if (rows.size() > kMostTokens) return TooMany();
    if (static_cast<std::int64_t>(rows.size()) >= page.total) return std::optional(std::move(rows));
    if (rows.size() == before) return std::nullopt;  // LM says that there is more, and does not show it
  }
}

absl::StatusOr<std::vector<portal::LmToken>> ReadType(PortalSession& session, std::optional<std::int32_t> admin,
                                                      TokenType type) {
  for (int reading = 0; reading < kMostReadings; ++reading) {
    ASSIGN_OR_RETURN(auto rows, ReadOnce(session, admin, type));
    if (rows.has_value()) return *std::move(rows);
  }
  return Refuse(Reason::kPortalError,
                "The portal's list of tokens kept moving while the broker read it; repeat, or list by admin.");
}

}  // namespace

absl::StatusOr<std::vector<portal::LmToken>> ReadTokens(PortalSession& session, const TokenSelection& selection) {
  std::vector<portal::LmToken> all;
  for (const TokenType type : {TokenType::kLmv1, TokenType::kBearer}) {
    if (selection.type.has_value() && *selection.type != type) continue;
    ASSIGN_OR_RETURN(std::vector<portal::LmToken> rows, ReadType(session, selection.admin, type));
    all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  if (all.size() > kMostTokens) return TooMany();
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return std::tie(a.id, a.type) < std::tie(b.id, b.type); });
  const auto end = std::unique(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id == b.id; });
  all.erase(end, all.end());
  return all;
}

}  // namespace lmbroker::core
