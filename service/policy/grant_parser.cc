#include "service/policy/grant_parser.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "service/base/text.h"
#include "service/policy/token_judge.h"

namespace lmbroker::policy {
namespace {

namespace v1 = config::v1;

// The sentence of a refusal without its final full stop, as a problem.
std::string ProblemOf(const absl::Status& status) {
  std::string_view message = ToStd(status.message());
  if (message.ends_with('.')) message.remove_suffix(1);
  return std::string(message);
}

// Portal and credential ids have one form (contract, section 1).
bool IsId(const std::string& text) { return PortalName::FromId(text, "").ok(); }

std::string Item(const std::string& path, std::string_view key, int index) {
  return ItemPath(ChildPath(path, key), static_cast<std::size_t>(index));
}

// An LM user id, 1 to 2147483647 (contract, section 1).
std::optional<std::int32_t> ParseAdmin(std::string_view text) {
  if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::optional<TokenType> ParseType(std::string_view name) {
  for (const TokenType type : {TokenType::kLmv1, TokenType::kBearer}) {
    if (TypeWord(type) == name) return type;
  }
  return std::nullopt;
}

bool IsAnyAdmin(const v1::TokenGrant& entry) { return entry.admins_size() == 1 && entry.admins(0) == "any"; }

}  // namespace

std::optional<PortalName> GrantParser::ParsePortal(const std::string& id, const std::string& path) {
  auto portal = PortalName::FromId(id, "portal");
  if (portal.ok() && portals_.contains(*portal)) return *std::move(portal);
  issues_.Add(path,
              id.empty() ? "must name a portal" : fmt::format("{} is no portal of the configuration", Excerpt(id)));
  return std::nullopt;
}

std::optional<http::Api> GrantParser::ParseApi(const std::string& name, bool present, const std::string& path) {
  if (!present || name == "management") return http::Api::kManagement;
  if (name == "ingest") return http::Api::kIngest;
  issues_.Add(path, "must be management or ingest");
  return std::nullopt;
}

std::optional<absl::Duration> GrantParser::ParseTime(const google::protobuf::Duration& duration,
                                                     const std::string& path) {
  const absl::Duration time = absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  if (time <= absl::ZeroDuration()) issues_.Add(path, "must be longer than nothing");
  return time;
}

std::optional<ForwardGrant> GrantParser::ParseForward(const v1::ForwardGrant& entry, const std::string& path,
                                                      const std::string& rule) {
  std::vector<http::Method> methods;
  for (int i = 0; i < entry.methods_size(); ++i) {
    const auto method = http::ParseMethod(entry.methods(i));
    if (method.ok()) methods.push_back(*method);
    if (!method.ok()) issues_.Add(Item(path, "methods", i), "must be GET, POST, PUT, PATCH or DELETE, in upper case");
  }
  std::vector<PathPattern> paths;
  for (int i = 0; i < entry.paths_size(); ++i) {
    auto pattern = PathPattern::Parse(entry.paths(i));
    if (!pattern.ok()) issues_.Add(Item(path, "paths", i), ProblemOf(pattern.status()));
    if (pattern.ok()) paths.push_back(*std::move(pattern));
  }
  if (entry.methods().empty()) issues_.Add(ChildPath(path, "methods"), "must name at least one method");
  if (entry.paths().empty()) issues_.Add(ChildPath(path, "paths"), "must have at least one pattern");
  const auto api = ParseApi(entry.api(), entry.has_api(), ChildPath(path, "api"));
  std::optional<absl::Duration> share;
  if (entry.has_share()) share = ParseTime(entry.share(), ChildPath(path, "share"));

  const auto portal = ParsePortal(entry.portal(), ChildPath(path, "portal"));
  const bool good_credential = IsId(entry.credential());
  if (!good_credential) issues_.Add(ChildPath(path, "credential"), "must be a credential id, such as inventory-reader");
  if (!api.has_value() || !portal.has_value() || !good_credential) return std::nullopt;
  return ForwardGrant{.rule = rule,
                      .portal = *portal,
                      .credential = *CredentialName::FromId(*portal, entry.credential(), "credential"),
                      .api = *api,
                      .methods = std::move(methods),
                      .paths = std::move(paths),
                      .account_writes = entry.account_writes(),
                      .share = share};
}

std::optional<TokensGrant> GrantParser::ParseTokens(const v1::TokenGrant& entry, const std::string& path,
                                                    const std::string& rule) {
  std::vector<std::int32_t> admins = ParseAdmins(entry, path);
  std::vector<TokenType> types = ParseTypes(entry, path);
  std::vector<Verb> verbs = ParseVerbs(entry, path);
  std::optional<absl::Duration> max_ttl;
  if (entry.has_max_ttl()) max_ttl = ParseTime(entry.max_ttl(), ChildPath(path, "max_ttl"));
  auto portal = ParsePortal(entry.portal(), ChildPath(path, "portal"));
  if (!portal.has_value()) return std::nullopt;
  return TokensGrant{.rule = rule,
                     .portal = *std::move(portal),
                     .any_admin = IsAnyAdmin(entry),
                     .admins = std::move(admins),
                     .types = std::move(types),
                     .verbs = std::move(verbs),
                     .max_ttl = max_ttl,
                     .hand_over = entry.hand_over()};
}

std::vector<std::int32_t> GrantParser::ParseAdmins(const v1::TokenGrant& entry, const std::string& path) {
  std::vector<std::int32_t> admins;
  if (entry.admins().empty()) issues_.Add(ChildPath(path, "admins"), "must be a list of LM user ids, or any");
  for (int i = 0; i < entry.admins_size() && !IsAnyAdmin(entry); ++i) {
    const auto id = ParseAdmin(entry.admins(i));
    if (id.has_value()) admins.push_back(*id);
    if (!id.has_value()) issues_.Add(Item(path, "admins", i), "must be an LM user id, 1 to 2147483647");
  }
  return admins;
}

std::vector<TokenType> GrantParser::ParseTypes(const v1::TokenGrant& entry, const std::string& path) {
  const std::string list = ChildPath(path, "types");
  // An empty list is not an absent one: it must not widen the grant to both.
  if (entry.types().empty() && issues_.HasLine(list)) issues_.Add(list, "must name a type, or be left out for both");
  if (entry.types().empty()) return {TokenType::kLmv1, TokenType::kBearer};
  std::vector<TokenType> types;
  for (int i = 0; i < entry.types_size(); ++i) {
    const auto type = ParseType(entry.types(i));
    if (type.has_value()) types.push_back(*type);
    if (!type.has_value()) issues_.Add(Item(path, "types", i), "must be LMV1 or BEARER");
  }
  return types;
}

std::vector<Verb> GrantParser::ParseVerbs(const v1::TokenGrant& entry, const std::string& path) {
  std::vector<Verb> verbs;
  if (entry.verbs().empty()) issues_.Add(ChildPath(path, "verbs"), "must name at least one verb");
  for (int i = 0; i < entry.verbs_size(); ++i) {
    const auto verb = ParseVerb(entry.verbs(i));
    if (verb.has_value()) verbs.push_back(*verb);
    if (!verb.has_value()) {
      issues_.Add(Item(path, "verbs", i), "must be create, list, get, update, toggle, delete or rotate");
    }
  }
  return verbs;
}

}  // namespace lmbroker::policy
