#include "service/policy/endpoints.h"

#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

TEST(SecretEndpointTest, TokenEndpointsAreSecretHoweverWritten) {
  for (const std::string_view path : {
           "/setting/admins/apitokens",
           "/setting/admins/32/apitokens",
           "/setting/admins/32/apitokens/7",
           "/setting/admins/32/apitokens/7/anything/more",
           "/setting/admins/apiTokens",
           "/SETTING/ADMINS/APITOKENS",
           "/setting/admins/32/ApItOkEnS/7",
           "/setting/apitokens",
           "/apitokens",
           "/rest/setting/admins/apitokens",
           "/santaba/rest/setting/admins/apitokens",
           "/setting/admins/apitokens.json",
           "/setting/admins/apitokens ",
           "/setting/admins/ apitokens",
           "/setting/admins/apitokens,x",
           "/setting/admins/apitokens&type=bearer",
           "/setting/admins/apitoken",
           "/v3/setting/admins/32/apitokens",
           "/setting/admins/32/ap\xC4\xB1tokens",  // dotless i
           "/setting/admins/32/AP\xC4\xB0TOKENS",  // dotted capital I
           "/setting/admins/32/apitoken\xC5\xBF",  // long s
           "/setting/admins/32/apito\xE2\x84\xAA"
           "ens",  // Kelvin sign
       }) {
    EXPECT_TRUE(IsSecretEndpoint(Path(path))) << path;
  }
}

TEST(SecretEndpointTest, OtherEndpointsAreNot) {
  for (const std::string_view path :
       {"/setting/admins", "/setting/admins/32", "/device/devices", "/api/tokens", "/setting/admins/api/tokens",
        "/api_tokens", "/log/ingest", "/setting/admins/ap\xC3\xACtokens"}) {
    EXPECT_FALSE(IsSecretEndpoint(Path(path))) << path;
  }
}

TEST(AccountWriteTest, WritesToUsersAndRolesNeedMore) {
  for (const http::Method method :
       {http::Method::kPost, http::Method::kPut, http::Method::kPatch, http::Method::kDelete}) {
    for (const std::string_view path :
         {"/setting/admins", "/setting/admins/32", "/setting/admins/32/x", "/setting/roles", "/setting/roles/1",
          "/Setting/Admins/32", "/SETTING/ROLES", "/setting/admin/groups", "/setting/role/groups",
          "/\xC5\xBF"
          "etting/adm\xC4\xB1ns"}) {
      EXPECT_TRUE(IsAccountWrite(method, Path(path))) << path;
    }
    for (const std::string_view path : {"/setting", "/setting/collectors", "/device/admins", "/device/setting/admins",
                                        "/settings/admins", "/admins", "/setting/alert/rules"}) {
      EXPECT_FALSE(IsAccountWrite(method, Path(path))) << path;
    }
  }
}

TEST(AccountWriteTest, ReadingUsersAndRolesIsNoWrite) {
  EXPECT_FALSE(IsAccountWrite(http::Method::kGet, Path("/setting/admins/32")));
  EXPECT_FALSE(IsAccountWrite(http::Method::kGet, Path("/setting/roles")));
}

absl::Status EmbeddedTokens(std::string_view method, std::string_view path, std::string_view body) {
  auto request = http::CanonicalRequest::Make(
      {.method = std::string(method), .path = std::string(path), .body = std::string(body)}, {});
  EXPECT_THAT(request, IsOk());
  return RefuseEmbeddedTokens(*request);
}

TEST(EmbeddedTokensTest, UserObjectWithTokensIsRefusedHoweverWritten) {
  for (const std::string_view body : {
           R"({"username":"x","apiTokens":[{"note":"n","status":2}]})",
           R"({"apiTokens":[]})",
           R"({"apitokens":null})",
           R"({"APITOKENS":[]})",
           R"({"\u0061piTokens":[]})",
           R"({"a":{"b":[{"apiTokens":1}]}})",
           R"([{"apiTokens":[]}])",
           R"({"a":1,"apiTokens":[],"a":2})",
           "{\"ap\xC4\xB1Tokens\":[]}",
           R"({"apiTokens":[], broken)",
       }) {
    EXPECT_THAT(EmbeddedTokens("PUT", "/setting/admins/32", body), RefusedWith(Reason::kSecretEndpoint)) << body;
    EXPECT_THAT(EmbeddedTokens("POST", "/Setting/Admins", body), RefusedWith(Reason::kSecretEndpoint)) << body;
    EXPECT_THAT(EmbeddedTokens("PATCH", "/setting/admins/32", body), RefusedWith(Reason::kSecretEndpoint)) << body;
  }
}

TEST(EmbeddedTokensTest, BodyThatCannotBeReadIsRefused) {
  for (const std::string_view body :
       {"username=x", "{", "{'a':1}", "{a:1}", "{\"a\":1}}", "\xFF", "<x/>", "// c\n{}"}) {
    EXPECT_THAT(EmbeddedTokens("PUT", "/setting/admins/32", body), RefusedWith(Reason::kFieldInvalid)) << body;
  }
}

TEST(EmbeddedTokensTest, OtherBodiesPass) {
  EXPECT_THAT(EmbeddedTokens("PUT", "/setting/admins/32", R"({"username":"apiTokens","note":"x"})"), IsOk());
  EXPECT_THAT(EmbeddedTokens("DELETE", "/setting/admins/32", ""), IsOk());
  EXPECT_THAT(EmbeddedTokens("DELETE", "/setting/admins/32", "{}"), IsOk());
  EXPECT_THAT(EmbeddedTokens("PUT", "/setting/admins/32", "null\n"), IsOk());
  EXPECT_THAT(EmbeddedTokens("POST", "/device/devices", R"({"apiTokens":1})"), IsOk());
  EXPECT_THAT(EmbeddedTokens("POST", "/device/devices", "free text"), IsOk());
}

}  // namespace
}  // namespace lmbroker::policy
