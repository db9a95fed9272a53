#include "service/portal/token_replies.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::portal {
namespace {

http::Response Reply(std::string body) { return {.status = 200, .headers = {}, .body = std::move(body)}; }

constexpr std::string_view kToken = R"({"id":41,"accessId":"aB3dE5fG7hJ9kL2mN4pQ","adminId":32,
  "adminName":"svc-broker","roles":["readonly",7,"broker"],"status":2,"note":"Zoë","createdOn":1700000000,
  "createdBy":"root-api","lastUsedOn":0,"lastAuthIp":"10.0.0.1","userPermission":"write","futureField":{"x":[1]}})";

TEST(TokenRepliesTest, ReadsEveryFieldThatLmSends) {
  const auto token = ParseToken(Reply(std::string(kToken)), TokenType::kBearer, 32);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->id, 41);
  EXPECT_EQ(token->admin_id, 32);
  EXPECT_EQ(token->type, TokenType::kBearer);
  EXPECT_EQ(token->access_id, "aB3dE5fG7hJ9kL2mN4pQ");
  EXPECT_EQ(token->admin_name, "svc-broker");
  EXPECT_EQ(token->roles, (std::vector<std::string>{"readonly", "broker"}));
  EXPECT_EQ(token->note, "Zoë");
  EXPECT_EQ(token->status, TokenStatus::kEnabled);
  EXPECT_EQ(token->created_on, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_EQ(token->created_by, "root-api");
  EXPECT_FALSE(token->last_used_on.has_value());
  EXPECT_EQ(token->last_auth_ip, "10.0.0.1");
}

TEST(TokenRepliesTest, MissingAndOddFieldsDoNoHarm) {
  const auto token = ParseToken(Reply(R"({"id":7,"roles":"x","note":null,"createdOn":-5,"lastUsedOn":1e300,"type":3})"),
                                TokenType::kLmv1, 32);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->admin_id, 32);
  EXPECT_EQ(token->note, "");
  EXPECT_TRUE(token->roles.empty());
  EXPECT_FALSE(token->created_on.has_value());
  EXPECT_FALSE(token->last_used_on.has_value());
}

TEST(TokenRepliesTest, WhatIsNoTokenIsPortalError) {
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  const std::string bodies[] = {"",
                                "null",
                                "[]",
                                "<html>503</html>",
                                R"({"id":41)",
                                R"({"id":"41","adminId":32})",
                                R"({"id":0,"adminId":32})",
                                R"({"id":-1,"adminId":32})",
                                R"({"id":2147483648,"adminId":32})",
                                R"({"id":18446744073709551615,"adminId":32})",
                                R"({"id":4.1,"adminId":32})",
                                "{\"id\":41,\"note\":\"\xff\"}",
                                R"({"id":41,"x":)" + deep + "}"};
  for (const std::string& body : bodies) {
    EXPECT_THAT(ParseToken(Reply(body), TokenType::kLmv1, 32), RefusedWith(Reason::kPortalError)) << body;
  }
}

TEST(TokenRepliesTest, PageNeedsItsTotalAndItems) {
  const auto page = ParseTokenPage(Reply(R"({"total":3,"searchId":null,"items":[)" + std::string(kToken) + "]}"),
                                   TokenType::kLmv1, std::nullopt);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->total, 3);
  ASSERT_EQ(page->tokens.size(), 1U);
  for (const std::string body : {R"({"items":[]})", R"({"total":1})", R"({"total":1,"items":{}})",
                                 R"({"total":1,"items":[5]})", R"({"total":1,"items":[{"id":5}]})"}) {
    EXPECT_THAT(ParseTokenPage(Reply(body), TokenType::kLmv1, std::nullopt), RefusedWith(Reason::kPortalError)) << body;
  }
}

TEST(TokenRepliesTest, MaskShowsNoMoreThanThePrefix) {
  const auto page =
      ParseTokenPage(Reply(R"({"total":1,"items":[{"id":1,"adminId":2,"accessKey":"lmb_visible0123456789***"}]})"),
                     TokenType::kBearer, std::nullopt);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->tokens[0].masked_secret, "lmb_****");
  EXPECT_EQ(MaskedSecret("lma_Invented(Key)", TokenType::kLmv1), "lma_****");
  EXPECT_EQ(MaskedSecret("0ldKeyWithoutPrefix", TokenType::kLmv1), "****");
  EXPECT_EQ(MaskedSecret("", TokenType::kLmv1), "****");
}

TEST(TokenRepliesTest, SecretOfACreateIsTakenUnescaped) {
  const auto created = ParseCreatedToken(
      Reply(
          R"({"note":"\"accessKey\":\"decoy\"","x":{"accessKey":"nested"},"accessKey" : "lma_a\u003d\"\\\/+","id":41})"),
      TokenType::kLmv1, 32);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->secret.Reveal(), "lma_a=\"\\/+");
  EXPECT_EQ(created->token.masked_secret, "lma_****");
  EXPECT_EQ(created->token.note, "\"accessKey\":\"decoy\"");
}

TEST(TokenRepliesTest, CreateWithoutASecretIsPortalError) {
  for (const std::string body : {R"({"id":41})", R"({"id":41,"accessKey":""})", R"({"id":41,"accessKey":null})",
                                 R"({"id":41,"accessKey":{"a":1}})", R"({"id":41,"note":"accessKey"})",
                                 R"({"accessKey":"lma_secret"})", R"(["accessKey":"lma_secret"])"}) {
    EXPECT_THAT(ParseCreatedToken(Reply(body), TokenType::kLmv1, 32), RefusedWith(Reason::kPortalError)) << body;
  }
}

TEST(TokenRepliesTest, RefusalsNeverQuoteTheBody) {
  const auto created = ParseCreatedToken(Reply(R"({"accessKey":"lma_secret","id":"x"})"), TokenType::kLmv1, 32);
  EXPECT_EQ(created.status().ToString().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace lmbroker::portal
