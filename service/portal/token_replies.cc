#include "service/portal/token_replies.h"

#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/portal/json_lexer.h"

namespace lmbroker::portal {
namespace {

using nlohmann::json;

constexpr int kDeepest = 16;

// A body may hold parts of keys even where LM masks them, so it is wiped wherever it ends.
class WipedBody {
 public:
  explicit WipedBody(std::string body) : body_(std::move(body)) {}
  ~WipedBody() { Wipe(body_.data(), body_.size()); }
  WipedBody(const WipedBody&) = delete;
  WipedBody& operator=(const WipedBody&) = delete;

  std::string& text() { return body_; }

 private:
  std::string body_;
};

absl::Status Unreadable(std::string_view problem) {
  return Refuse(Reason::kPortalError,
                fmt::format("The portal's answer cannot be used: {}; see whether something between the broker and the "
                            "portal changes replies.",
                            problem));
}

absl::StatusOr<json> ParseObject(const std::string& body) {
  bool too_deep = false;
  const auto watch_depth = [&too_deep](int depth, json::parse_event_t /*event*/, json& /*parsed*/) {
    too_deep = too_deep || depth > kDeepest;
    return !too_deep;
  };
  json object = json::parse(body, watch_depth, /*allow_exceptions=*/false);
  if (too_deep || !object.is_object()) return Unreadable("it is not a JSON object");
  return object;
}

std::string Text(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::int64_t> Integer(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  return found->get<std::int64_t>();
}

std::optional<std::int32_t> Id(const json& object, const char* field) {
  const auto value = Integer(object, field);
  if (!value.has_value() || *value < 1 || *value > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return static_cast<std::int32_t>(*value);
}

// Epoch seconds; 0 is never. What lies beyond the year 9999 is no time of LM's and would not fit a Timestamp.
std::optional<absl::Time> Time(const json& object, const char* field) {
  constexpr std::int64_t kYear10000 = 253'402'300'800;
  const auto seconds = Integer(object, field);
  if (!seconds.has_value() || *seconds <= 0 || *seconds >= kYear10000) return std::nullopt;
  return absl::FromUnixSeconds(*seconds);
}

std::vector<std::string> Texts(const json& object, const char* field) {
  std::vector<std::string> texts;
  const auto found = object.find(field);
  if (found == object.end() || !found->is_array()) return texts;
  for (const json& item : *found) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

absl::StatusOr<LmToken> ToToken(const json& object, TokenType type, std::optional<std::int32_t> admin) {
  if (!object.is_object()) return Unreadable("a token in it is not an object");
  const auto id = Id(object, "id");
  const auto owner = Id(object, "adminId");
  if (!id.has_value() || !(owner.has_value() || admin.has_value())) return Unreadable("a token in it has no id");
  return LmToken{
      .id = *id,
      .admin_id = owner.has_value() ? *owner : *admin,
      .type = type,
      .access_id = Text(object, "accessId"),
      .masked_secret = MaskedSecret(Text(object, "accessKey"), type),
      .admin_name = Text(object, "adminName"),
      .roles = Texts(object, "roles"),
      .note = Text(object, "note"),
      .status = Integer(object, "status") == 2 ? TokenStatus::kEnabled : TokenStatus::kDisabled,
      .created_on = Time(object, "createdOn"),
      .created_by = Text(object, "createdBy"),
      .last_used_on = Time(object, "lastUsedOn"),
      .last_auth_ip = Text(object, "lastAuthIp"),
  };
}

Secret Unescaped(std::string_view raw) {
  Secret roomy = Secret::WithSize(raw.size());
  const std::size_t size = Unescape(raw, roomy.data());
  return size == roomy.size() ? std::move(roomy) : Secret(roomy.Reveal().substr(0, size));
}

// Moves the value of the outermost `accessKey` out of `body`; empty if there is none. There and in the place of every
// other `accessKey` are stars of the same length then, so that a parser has no copies to leave behind.
Secret TakeAccessKey(std::string& body) {
  JsonLexer lexer(body);
  int depth = 0;
  bool is_value = false;
  std::string_view name;
  Secret taken;
  for (char token = lexer.Next(); token != 0; token = lexer.Next()) {
    if (token == '{' || token == '[') ++depth;
    if (token == '}' || token == ']') --depth;
    if (token == '"' && is_value && name == "accessKey") {
      const std::string_view raw = lexer.string();
      const std::size_t offset = lexer.string_span().begin;
      if (depth == 1 && taken.empty()) taken = Unescaped(raw);
      body.replace(offset, raw.size(), raw.size(), '*');
    }
    if (token == '"' && !is_value) name = lexer.string();
    is_value = token == ':';
  }
  return taken;
}

}  // namespace

std::string MaskedSecret(std::string_view secret, TokenType type) {
  if (type == TokenType::kBearer) return "lmb_****";
  return secret.substr(0, 4) == "lma_" ? "lma_****" : "****";
}

absl::StatusOr<LmTokenPage> ParseTokenPage(http::Response reply, TokenType type, std::optional<std::int32_t> admin) {
  WipedBody body(std::move(reply.body));
  TakeAccessKey(body.text());  // nobody needs it here
  ASSIGN_OR_RETURN(const json object, ParseObject(body.text()));
  const auto items = object.find("items");
  const auto total = Integer(object, "total");
  if (items == object.end() || !items->is_array() || !total.has_value()) return Unreadable("it is not a list");
  LmTokenPage page{.total = *total, .tokens = {}};
  page.tokens.reserve(items->size());
  for (const json& item : *items) {
    ASSIGN_OR_RETURN(LmToken token, ToToken(item, type, admin));
    page.tokens.push_back(std::move(token));
  }
  return page;
}

absl::StatusOr<LmToken> ParseToken(http::Response reply, TokenType type, std::int32_t admin) {
  WipedBody body(std::move(reply.body));
  TakeAccessKey(body.text());  // nobody needs it here
  ASSIGN_OR_RETURN(const json object, ParseObject(body.text()));
  return ToToken(object, type, admin);
}

absl::StatusOr<LmCreatedToken> ParseCreatedToken(http::Response reply, TokenType type, std::int32_t admin) {
  WipedBody body(std::move(reply.body));
  Secret secret = TakeAccessKey(body.text());
  ASSIGN_OR_RETURN(const json object, ParseObject(body.text()));
  ASSIGN_OR_RETURN(LmToken token, ToToken(object, type, admin));
  if (secret.empty()) return Unreadable("it has no access key");
  token.masked_secret = MaskedSecret(secret.Reveal(), type);
  return LmCreatedToken{.token = std::move(token), .secret = std::move(secret)};
}

}  // namespace lmbroker::portal
