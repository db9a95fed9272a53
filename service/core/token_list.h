#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/random.h"
#include "service/core/call_context.h"
#include "service/core/page_token.h"
#include "service/core/portal_session.h"
#include "service/core/token.h"
#include "service/core/token_listing.h"
#include "service/store/store.h"

namespace lmbroker::core {

struct TokenQuery {
  PortalName portal;
  std::optional<std::int32_t> admin;  // unset: the whole portal
  std::optional<TokenType> type;
  bool enabled_only = false;
  std::string search;  // ASCII letters match in either case, other bytes as they are
  int page_size = 50;  // 1 to 1000
  std::string page_token;
};

struct TokenPage {
  std::vector<Token> tokens;
  std::string next_page_token;
  std::size_t total = 0;  // of all pages, at the time of this one
};

// ListTokens. The first page reads LM's list; the next ones use that reading for up to a minute, so that paging is
// stable and cheap. What a caller may see is judged at each page. Safe for concurrent use.
class TokenList {
 public:
  struct Parts {
    PortalSession::Parts portal;
    store::Store& store;
    Custody& custody;
    Random& random;
  };

  explicit TokenList(const Parts& parts) : parts_(parts), page_tokens_(parts.random) {}

  // FIELD_INVALID (`search`, `page_token`), NO_GRANT, UNKNOWN_PORTAL, NO_MASTER, UNKNOWN_ADMIN, TOO_MANY_TOKENS,
  // AUDIT_UNAVAILABLE, STORE_UNAVAILABLE; and what the portal refuses.
  absl::StatusOr<TokenPage> List(CallContext& context, const TokenQuery& query);

 private:
  using Rows = std::shared_ptr<const std::vector<portal::LmToken>>;
  struct Reading {
    PortalName portal;
    TokenSelection selection;
    absl::Duration time;  // on Clock::Monotonic
    Rows rows;
  };

  absl::StatusOr<Rows> RowsFor(CallContext& context, const policy::TokenGrant& grant, const TokenQuery& query);
  Rows Remembered(const PortalName& portal, const TokenSelection& selection);
  void Remember(Reading reading);

  const Parts parts_;
  const PageTokens page_tokens_;
  Mutex mutex_;
  std::deque<Reading> readings_ ABSL_GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace lmbroker::core
