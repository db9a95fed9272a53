#include "service/sign/key.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::sign {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr std::string_view kId = "aB3dE5fG7hJ9kL2mN4pQ";

std::string FieldOf(const absl::Status& status) { return MetadataOf(status)["field"]; }

TEST(KeyTest, SecretIsTakenAsGivenButForTheWhiteSpaceAroundIt) {
  const std::string_view key = "lma_Invented(Key)For{Tests}=0123456789+^~";
  for (const std::string& given :
       {std::string(key), std::string(key) + "\n", std::string(key) + "\r\n", " \t" + std::string(key) + " \n\n"}) {
    const auto parsed = ParseKey(TokenType::kLmv1, std::string(kId), Secret(given));
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(parsed->type, TokenType::kLmv1);
    EXPECT_EQ(parsed->access_id, kId);
    EXPECT_EQ(parsed->secret.Reveal(), key);
  }
}

TEST(KeyTest, BearerComesWithOrWithoutTheWord) {
  for (const std::string_view given : {"lmb_abc==", "Bearer lmb_abc==", "bearer lmb_abc==", "BEARER lmb_abc==\n",
                                       "  Bearer   lmb_abc==  ", "Bearer\tlmb_abc=="}) {
    const auto parsed = ParseKey(TokenType::kBearer, "", Secret(given));
    ASSERT_THAT(parsed, IsOk()) << given;
    EXPECT_EQ(parsed->secret.Reveal(), "lmb_abc==") << given;
  }
}

TEST(KeyTest, TheWordIsOnlyAWordBeforeABlankOfABearer) {
  EXPECT_EQ(ParseKey(TokenType::kBearer, "", Secret("Bearerlmb_abc"))->secret.Reveal(), "Bearerlmb_abc");
  EXPECT_EQ(FieldOf(ParseKey(TokenType::kLmv1, std::string(kId), Secret("Bearer key")).status()), "secret");
  EXPECT_EQ(FieldOf(ParseKey(TokenType::kBearer, "", Secret("Bearer Bearer lmb_abc")).status()), "secret");
}

TEST(KeyTest, BadSecretIsRefusedAndNotShown) {
  for (const TokenType type : {TokenType::kLmv1, TokenType::kBearer}) {
    for (const std::string& given :
         {std::string(), std::string("  \n"), std::string("topsecret in two"), std::string("topsecret\tin"),
          std::string("topsecret\r\nX-Evil: 1"), std::string("topsecret\0nul", 13), std::string("topsecret\x7f"),
          std::string("topsecret\x01"), std::string("topsecret\xC2\xA0"), std::string("topsecret\xff"),
          "topsecret" + std::string(4088, 'k')}) {
      const absl::Status status = ParseKey(type, std::string(kId), Secret(given)).status();
      EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << given;
      EXPECT_EQ(FieldOf(status), "secret");
      EXPECT_THAT(status.ToString(), Not(HasSubstr("topsecret")));
    }
  }
  EXPECT_THAT(ParseKey(TokenType::kBearer, "", Secret("Bearer")), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(ParseKey(TokenType::kBearer, "", Secret("Bearer \n")), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(ParseKey(TokenType::kBearer, "", Secret(std::string(4096, 'k'))), IsOk());
}

TEST(KeyTest, BadAccessIdIsRefused) {
  for (const std::string& given : {std::string("a b"), std::string("a:b"), std::string("a-b"), std::string("a\r\nb"),
                                   std::string("\xC3\xA9"), std::string("a\0", 2), std::string(129, 'a')}) {
    for (const TokenType type : {TokenType::kLmv1, TokenType::kBearer}) {
      const absl::Status status = ParseKey(type, given, Secret("key")).status();
      EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << given;
      EXPECT_EQ(FieldOf(status), "access_id");
    }
  }
  EXPECT_EQ(FieldOf(ParseKey(TokenType::kLmv1, "", Secret("key")).status()), "access_id");
  EXPECT_THAT(ParseKey(TokenType::kBearer, "", Secret("key")), IsOk());
}

}  // namespace
}  // namespace lmbroker::sign
