#include "service/crypto/ed25519.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/digest.h"
#include "service/crypto/encoding.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::crypto {
namespace {

Secret Seed(std::string_view hex) { return Secret(*DecodeHex(hex)); }

// RFC 8032, section 7.1, tests 1 and 3.
TEST(Ed25519Test, VectorsOfRfc8032) {
  EXPECT_EQ(
      EncodeHex(Ed25519Sign(Seed("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), "")),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
      "be24655141438e7a100b");
  EXPECT_EQ(
      EncodeHex(Ed25519Sign(Seed("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"), "\xaf\x82")),
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
      "d28dc027beceea1ec40a");
}

TEST(Ed25519Test, KeyIsNamedByTheDigestOfItsPublicHalf) {
  const auto key = Ed25519PublicKey::Of(Seed("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  EXPECT_EQ(key.fingerprint(),
            Sha256Hex(*DecodeHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")));
}

class Ed25519KeyTest : public testing::Test {
 protected:
  FakeRandom random_;
  const Secret seed_ = NewEd25519Seed(random_);
  const Ed25519PublicKey key_ = Ed25519PublicKey::Of(seed_);
};

TEST_F(Ed25519KeyTest, SignatureIsGoodForItsMessageAndKeyAlone) {
  const std::string signature = Ed25519Sign(seed_, "message");
  EXPECT_TRUE(key_.Verify("message", signature));
  EXPECT_FALSE(key_.Verify("massage", signature));
  EXPECT_FALSE(Ed25519PublicKey::Of(NewEd25519Seed(random_)).Verify("message", signature));
}

TEST_F(Ed25519KeyTest, ChangedSignatureIsNone) {
  const std::string signature = Ed25519Sign(seed_, "message");
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    std::string changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(key_.Verify("message", changed)) << bit;
  }
  for (const std::string_view other : {"", "x"}) EXPECT_FALSE(key_.Verify("message", other));
  EXPECT_FALSE(key_.Verify("message", signature + "x"));
  EXPECT_FALSE(key_.Verify("message", signature.substr(1)));
}

TEST_F(Ed25519KeyTest, PublicKeyComesBackFromItsPem) {
  const auto read = Ed25519PublicKey::FromPem(key_.Pem());
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->fingerprint(), key_.fingerprint());
  EXPECT_TRUE(read->Verify("message", Ed25519Sign(seed_, "message")));
  EXPECT_THAT(key_.Pem(), testing::StartsWith("-----BEGIN PUBLIC KEY-----\n"));
}

TEST_F(Ed25519KeyTest, OtherTextIsNoPublicKey) {
  // A P-256 key, in the same form.
  constexpr std::string_view kOther =
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
      "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
      "-----END PUBLIC KEY-----\n";
  for (const std::string_view text :
       {std::string_view(), std::string_view("x"), kOther,
        std::string_view("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")}) {
    EXPECT_THAT(Ed25519PublicKey::FromPem(text), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace lmbroker::crypto
