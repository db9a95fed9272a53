#include "service/portal/token_requests.h"

#include <string>

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

std::string Line(const absl::StatusOr<http::CanonicalRequest>& request) {
  if (!request.ok()) return request.status().ToString();
  return std::string(http::MethodName(request->method())) + " " + request->Target() + " " + request->body();
}

struct Case {
  std::string name;
  absl::StatusOr<http::CanonicalRequest> request;
  std::string line;
};

TEST(TokenRequestsTest, EveryRequestIsTheOneThatLmDocuments) {
  const std::string base = "/santaba/rest/setting/admins";
  const Case cases[] = {
      {"list all", ListTokens({}), "GET " + base + "/apitokens?size=1000&offset=0&sort=%2Bid "},
      {"list bearer of a user", ListTokens({.admin = 32, .type = TokenType::kBearer, .offset = 999, .size = 50}),
       "GET " + base + "/32/apitokens?size=50&offset=999&sort=%2Bid&type=bearer "},
      {"one", ListTokens({.admin = 32, .size = 1, .only_id = 41}),
       "GET " + base + "/32/apitokens?size=1&offset=0&sort=%2Bid&filter=id%3A41 "},
      {"create lmv1", CreateToken(32, TokenType::kLmv1, "a \"note\"", TokenStatus::kDisabled),
       "POST " + base + R"(/32/apitokens {"note":"a \"note\"","status":1})"},
      {"create bearer", CreateToken(32, TokenType::kBearer, "", TokenStatus::kEnabled),
       "POST " + base + R"(/32/apitokens?type=bearer {"note":"","status":2})"},
      {"note", PatchNote(32, 41, "Zoë ✓"), "PATCH " + base + R"(/32/apitokens/41 {"note":"Zoë ✓"})"},
      {"status", PatchStatus(32, 41, TokenStatus::kEnabled), "PATCH " + base + R"(/32/apitokens/41 {"status":2})"},
      {"both", PatchNoteAndStatus(32, 41, "n", TokenStatus::kDisabled),
       "PATCH " + base + R"(/32/apitokens/41 {"note":"n","status":1})"},
      {"delete", DeleteToken(32, 41), "DELETE " + base + "/32/apitokens/41 "},
      {"probe a master", ProbeKey(true), "GET " + base + "/apitokens?size=1&fields=id "},
      {"probe another", ProbeKey(false), "GET /santaba/rest/device/devices?size=1&fields=id "},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(Line(c.request), c.line);
    EXPECT_EQ(c.request->api_version(), 3);
  }
}

// A PUT, or a PATCH that names the status, would enable a disabled token (logicmonitor-api, section 4.3).
TEST(TokenRequestsTest, NoteEditNamesNothingButTheNote) {
  const auto request = PatchNote(32, 41, "new");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->method(), http::Method::kPatch);
  EXPECT_EQ(request->body().find("status"), std::string::npos);
}

TEST(TokenRequestsTest, TextThatIsNotUtf8DoesNotThrow) {
  const auto request = PatchNote(32, 41, "\xff");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->body(), "{\"note\":\"\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace lmbroker::portal
