#include "service/core/token_list.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/core/token_lookup.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

constexpr absl::Duration kKeptFor = absl::Seconds(60);
constexpr std::size_t kMostReadings = 8;
constexpr std::size_t kMostRowsKept = 200'000;
constexpr std::size_t kMostSearchBytes = 256;

bool Contains(std::string_view text, std::string_view lower_needle) {
  return AsciiLower(text).find(lower_needle) != std::string::npos;
}

bool Matches(const portal::LmToken& token, const TokenQuery& query, std::string_view lower_search) {
  if (query.enabled_only && token.status != TokenStatus::kEnabled) return false;
  return lower_search.empty() || Contains(token.note, lower_search) || Contains(token.admin_name, lower_search) ||
         Contains(token.access_id, lower_search);
}

// What a page token is good for.
std::vector<std::string> Binding(const Caller& caller, const TokenQuery& query) {
  return {"tokens",
          caller.identity,
          query.portal.id(),
          query.admin.has_value() ? fmt::format("{}", *query.admin) : "",
          query.type.has_value() ? fmt::format("{}", static_cast<int>(*query.type)) : "",
          query.enabled_only ? "enabled" : "",
          query.search};
}

// The id of the last token on the page before; 0 on the first page.
absl::StatusOr<std::int32_t> Position(const PageTokens& tokens, const Caller& caller, const TokenQuery& query) {
  std::int32_t last = 0;
  if (query.page_token.empty()) return last;
  ASSIGN_OR_RETURN(const std::string position, tokens.Open(query.page_token, Binding(caller, query)));
  std::from_chars(position.data(), position.data() + position.size(), last);
  return last;
}

absl::Status CheckForm(const TokenQuery& query) {
  if (query.search.size() > kMostSearchBytes) {
    return FieldInvalid("search", fmt::format("has more than {} bytes", kMostSearchBytes));
  }
  return IsUtf8(query.search) ? absl::OkStatus() : FieldInvalid("search", "is not UTF-8");
}

absl::StatusOr<std::map<TokenName, store::TokenRecord>> RecordsOf(store::Store& store, const PortalName& portal) {
  ASSIGN_OR_RETURN(std::vector<store::TokenRecord> records, store.ListTokens(portal));
  std::map<TokenName, store::TokenRecord> by_name;
  for (store::TokenRecord& record : records) by_name.emplace(record.name, std::move(record));
  return by_name;
}

}  // namespace

absl::StatusOr<TokenPage> TokenList::List(CallContext& context, const TokenQuery& query) {
  context.audit.fields().resource =
      query.admin.has_value() ? AdminName(query.portal, *query.admin).ToString() : query.portal.ToString();
  RETURN_IF_ERROR(CheckForm(query));
  ASSIGN_OR_RETURN(const std::int32_t last_seen, Position(page_tokens_, context.caller, query));
  const auto engine = parts_.portal.policy.Get();
  ASSIGN_OR_RETURN(
      const policy::TokenGrant grant,
      parts_.portal.policy.Authorize(
          *engine, context.caller,
          policy::TokenQuestion{
              .verb = policy::Verb::kList, .portal = query.portal, .admin = query.admin, .type = query.type}));
  ASSIGN_OR_RETURN(const policy::TokenScope scope, engine->Scope(context.caller, query.portal));
  ASSIGN_OR_RETURN(const Rows rows, RowsFor(context, grant, query));
  ASSIGN_OR_RETURN(const auto records, RecordsOf(parts_.store, query.portal));

  TokenPage page;
  bool more = false;
  const std::string lower_search = AsciiLower(query.search);
  for (const portal::LmToken& token : *rows) {
    if (!scope.Covers(token.admin_id, token.type) || !Matches(token, query, lower_search)) continue;
    ++page.total;
    if (token.id <= last_seen) continue;
    more = page.tokens.size() == static_cast<std::size_t>(query.page_size);
    if (more) continue;
    const auto record = records.find(NameOf(query.portal, token));
    page.tokens.push_back(WithRecord(query.portal, token, record == records.end() ? nullptr : &record->second));
  }
  if (more) {
    page.next_page_token =
        page_tokens_.Seal(fmt::format("{}", page.tokens.back().lm.id), Binding(context.caller, query));
  }
  return page;
}

absl::StatusOr<TokenList::Rows> TokenList::RowsFor(CallContext& context, const policy::TokenGrant& grant,
                                                   const TokenQuery& query) {
  const TokenSelection selection{.admin = query.admin, .type = query.type};
  ASSIGN_OR_RETURN(const http::CanonicalRequest main,
                   portal::ListTokens({.admin = query.admin, .type = query.type.value_or(TokenType::kLmv1)}));
  ASSIGN_OR_RETURN(PortalSession session, PortalSession::Begin(parts_.portal, context, grant, main));
  if (!query.page_token.empty()) {
    if (Rows rows = Remembered(query.portal, selection); rows != nullptr) return rows;
  }
  ASSIGN_OR_RETURN(std::vector<portal::LmToken> read, ReadTokens(session, selection));
  parts_.custody.LearnTokenStatus(query.portal, read);
  auto rows = std::make_shared<const std::vector<portal::LmToken>>(std::move(read));
  Remember({.portal = query.portal, .selection = selection, .time = parts_.portal.clock.Monotonic(), .rows = rows});
  return rows;
}

TokenList::Rows TokenList::Remembered(const PortalName& portal, const TokenSelection& selection) {
  const absl::Duration now = parts_.portal.clock.Monotonic();
  const MutexLock lock(mutex_);
  for (const Reading& reading : readings_) {
    if (reading.portal == portal && reading.selection == selection && now - reading.time <= kKeptFor) {
      return reading.rows;
    }
  }
  return nullptr;
}

void TokenList::Remember(Reading reading) {
  const MutexLock lock(mutex_);
  std::erase_if(readings_, [&](const Reading& old) {
    return (old.portal == reading.portal && old.selection == reading.selection) || reading.time - old.time > kKeptFor;
  });
  readings_.push_back(std::move(reading));
  std::size_t rows = 0;
  for (const Reading& kept : readings_) rows += kept.rows->size();
  while (readings_.size() > kMostReadings || (rows > kMostRowsKept && readings_.size() > 1)) {
    rows -= readings_.front().rows->size();
    readings_.pop_front();
  }
}

}  // namespace lmbroker::core
