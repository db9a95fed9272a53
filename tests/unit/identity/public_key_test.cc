#include "service/identity/public_key.h"

#include <string>

#include <gtest/gtest.h>

#include "service/crypto/encoding.h"
#include "service/identity/jwt.h"
#include "service/identity/key_set.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

std::string Decoded(std::string_view text) { return crypto::DecodeBase64Url(text).value_or(""); }

class PublicKeyTest : public ::testing::TestWithParam<bool> {
 protected:
  PublicKeyTest() : key_(GetParam() ? TokenKey::Rsa("k") : TokenKey::P256("k")), keys_(*KeySet::Parse(key_.jwks())) {
    token_ = key_.Sign("{}");
    const auto jwt = Jwt::Parse(token_);
    message_ = std::string(jwt->signed_part);
    signature_ = Decoded(jwt->signature);
  }
  const PublicKey& key() const { return *keys_.Find("k"); }

  TokenKey key_;
  KeySet keys_;
  std::string token_;
  std::string message_;
  std::string signature_;
};

TEST_P(PublicKeyTest, VerifiesItsOwnSignatures) { EXPECT_TRUE(key().Verify(message_, signature_)); }

TEST_P(PublicKeyTest, NoBitOfASignatureMayDiffer) {
  for (std::size_t i = 0; i < signature_.size() * 8; i += 7) {
    std::string other = signature_;
    other[i / 8] = static_cast<char>(other[i / 8] ^ (1 << i % 8));
    EXPECT_FALSE(key().Verify(message_, other)) << i;
  }
}

TEST_P(PublicKeyTest, NoByteOfTheMessageMayDiffer) {
  for (std::size_t i = 0; i < message_.size(); ++i) {
    std::string other = message_;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(key().Verify(other, signature_)) << i;
  }
}

TEST_P(PublicKeyTest, SignaturesOfAnotherLengthAreNone) {
  EXPECT_FALSE(key().Verify(message_, ""));
  EXPECT_FALSE(key().Verify(message_, signature_.substr(1)));
  EXPECT_FALSE(key().Verify(message_, signature_ + '\0'));
  EXPECT_FALSE(key().Verify(message_, std::string(signature_.size(), '\0')));
  EXPECT_FALSE(key().Verify(message_, std::string(4096, 'x')));
}

INSTANTIATE_TEST_SUITE_P(Kinds, PublicKeyTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Rs256" : "Es256"; });

TEST(PublicKeyTest, EcdsaInAsn1IsNoSignatureOfAToken) {
  const TokenKey key = TokenKey::P256("k");
  const KeySet keys = *KeySet::Parse(key.jwks());
  const std::string token = key.Sign("{}");
  const std::string raw = Decoded(Jwt::Parse(token)->signature);
  const std::string der = "\x30\x44\x02\x20" + raw.substr(0, 32) + "\x02\x20" + raw.substr(32);
  EXPECT_FALSE(keys.Find("k")->Verify(Jwt::Parse(token)->signed_part, der));
}

TEST(PublicKeyTest, WeakAndAbsurdRsaKeysAreNone) {
  const std::string modulus = "\xC0" + std::string(254, '\x55') + "\x01";
  EXPECT_THAT(PublicKey::Rsa(modulus, "\x01"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa(modulus, "\x02"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa(modulus, ""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa(modulus, modulus), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa(modulus.substr(128), "\x03"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa(std::string(256, '\0'), "\x03"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa("\x80" + std::string(1100, '\x01'), "\x03"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::Rsa(std::string(1 << 20, '\x01'), "\x03"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(PublicKeyTest, PointsThatAreNotOnTheCurveAreNoKeys) {
  EXPECT_THAT(PublicKey::P256(std::string(32, '\x01'), std::string(32, '\x02')),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::P256(std::string(32, '\0'), std::string(32, '\0')),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::P256(std::string(31, '\x01'), std::string(33, '\x02')),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace lmbroker::identity
