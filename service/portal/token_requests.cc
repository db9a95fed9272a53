#include "service/portal/token_requests.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lmbroker::portal {
namespace {

constexpr std::string_view kAllTokens = "/setting/admins/apitokens";

std::string TokensOf(std::int32_t admin) { return fmt::format("/setting/admins/{}/apitokens", admin); }
std::string TokenPath(std::int32_t admin, std::int32_t token) { return fmt::format("{}/{}", TokensOf(admin), token); }

// Text that is not UTF-8 becomes U+FFFD rather than an exception.
std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<http::CanonicalRequest> Make(std::string_view method, std::string path,
                                            std::vector<http::NameValue> query, std::string body) {
  return http::CanonicalRequest::Make({.api = http::Api::kManagement,
                                       .method = std::string(method),
                                       .path = std::move(path),
                                       .query = std::move(query),
                                       .headers = {},
                                       .body = std::move(body),
                                       .api_version = 3},
                                      {});
}

absl::StatusOr<http::CanonicalRequest> Patch(std::int32_t admin, std::int32_t token, const nlohmann::json& changes) {
  return Make("PATCH", TokenPath(admin, token), {}, Dump(changes));
}

}  // namespace

absl::StatusOr<http::CanonicalRequest> ListTokens(const TokenListPage& page) {
  std::vector<http::NameValue> query = {
      {"size", fmt::format("{}", page.size)}, {"offset", fmt::format("{}", page.offset)}, {"sort", "+id"}};
  if (page.type == TokenType::kBearer) query.push_back({"type", "bearer"});
  if (page.only_id.has_value()) query.push_back({"filter", fmt::format("id:{}", *page.only_id)});
  return Make("GET", page.admin.has_value() ? TokensOf(*page.admin) : std::string(kAllTokens), std::move(query), "");
}

absl::StatusOr<http::CanonicalRequest> CreateToken(std::int32_t admin, TokenType type, std::string_view note,
                                                   TokenStatus status) {
  std::vector<http::NameValue> query;
  if (type == TokenType::kBearer) query.push_back({"type", "bearer"});
  return Make("POST", TokensOf(admin), std::move(query),
              Dump({{"note", std::string(note)}, {"status", static_cast<int>(status)}}));
}

absl::StatusOr<http::CanonicalRequest> PatchNote(std::int32_t admin, std::int32_t token, std::string_view note) {
  return Patch(admin, token, {{"note", std::string(note)}});
}

absl::StatusOr<http::CanonicalRequest> PatchStatus(std::int32_t admin, std::int32_t token, TokenStatus status) {
  return Patch(admin, token, {{"status", static_cast<int>(status)}});
}

absl::StatusOr<http::CanonicalRequest> PatchNoteAndStatus(std::int32_t admin, std::int32_t token, std::string_view note,
                                                          TokenStatus status) {
  return Patch(admin, token, {{"note", std::string(note)}, {"status", static_cast<int>(status)}});
}

absl::StatusOr<http::CanonicalRequest> DeleteToken(std::int32_t admin, std::int32_t token) {
  return Make("DELETE", TokenPath(admin, token), {}, "");
}

absl::StatusOr<http::CanonicalRequest> ProbeKey(bool master) {
  return Make("GET", std::string(master ? kAllTokens : "/device/devices"), {{"size", "1"}, {"fields", "id"}}, "");
}

}  // namespace lmbroker::portal
