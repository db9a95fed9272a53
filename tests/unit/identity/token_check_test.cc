#include "service/identity/token_check.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "service/crypto/encoding.h"
#include "service/identity/key_set.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const TokenRules kRules{.issuer = "https://kubernetes.default.svc", .audience = "lmbroker"};

class CheckTokenTest : public ::testing::Test {
 protected:
  // As the verifier does: the key that the token names.
  absl::StatusOr<ServiceAccount> Check(std::string_view token) const {
    const auto jwt = Jwt::Parse(token);
    if (!jwt.ok()) return jwt.status();
    const PublicKey* const key = keys_.Find(jwt->key_id);
    EXPECT_NE(key, nullptr);
    return CheckToken(*jwt, *key, kRules, kNow);
  }
  static std::string Header(std::string_view algorithm, std::string_view key_id) {
    return "{\"alg\":\"" + std::string(algorithm) + "\",\"kid\":\"" + std::string(key_id) + "\"}";
  }

  const TokenKey rsa_ = TokenKey::Rsa("rsa");
  const TokenKey ec_ = TokenKey::P256("ec");
  const KeySet keys_ = *KeySet::Parse("{\"keys\":[" + rsa_.jwk() + "," + ec_.jwk() + "]}");
  const std::string claims_ = TestClaims(kNow).ToJson();
};

TEST_F(CheckTokenTest, TokensOfBothKindsOfKeysAreGood) {
  for (const TokenKey* const key : {&rsa_, &ec_}) {
    const auto account = Check(key->Sign(claims_));
    ASSERT_THAT(account, IsOk());
    EXPECT_EQ(account->identity, "k8s:inventory/app");
  }
}

TEST_F(CheckTokenTest, TheAlgorithmMustBeTheKeys) {
  EXPECT_THAT(Check(ec_.Sign(Header("RS256", "ec"), claims_)), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(rsa_.Sign(Header("ES256", "rsa"), claims_)), RefusedWith(Reason::kBadToken));
}

TEST_F(CheckTokenTest, AnotherKeysSignatureIsNone) {
  EXPECT_THAT(Check(rsa_.Sign(Header("ES256", "ec"), claims_)), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(TokenKey::Rsa("rsa").Sign(claims_)), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(TokenKey::P256("ec").Sign(claims_)), RefusedWith(Reason::kBadToken));
}

TEST_F(CheckTokenTest, APublicKeyIsNoSecretOfAnHmac) {
  const std::string message = crypto::EncodeBase64Url(Header("HS256", "rsa")) + "." + crypto::EncodeBase64Url(claims_);
  for (const std::string& secret : {rsa_.public_pem(), rsa_.jwk(), rsa_.jwks()}) {
    std::string mac(32, '\0');
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
         reinterpret_cast<unsigned char*>(mac.data()), &size);
    EXPECT_THAT(Check(message + "." + crypto::EncodeBase64Url(mac)), RefusedWith(Reason::kBadToken));
  }
}

TEST_F(CheckTokenTest, WithoutASignatureThereIsNoToken) {
  const std::string token = rsa_.Sign(claims_);
  const std::string message = token.substr(0, token.rfind('.') + 1);
  EXPECT_THAT(Check(message), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(message + "AAAA"), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(token + "="), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(token + "\n"), RefusedWith(Reason::kBadToken));
}

TEST_F(CheckTokenTest, ATokenCutAnywhereIsABadToken) {
  const std::string token = ec_.Sign(claims_);
  for (std::size_t length = 0; length < token.size(); ++length) {
    const auto jwt = Jwt::Parse(std::string_view(token).substr(0, length));
    if (!jwt.ok()) continue;
    EXPECT_THAT(CheckToken(*jwt, *keys_.Find("ec"), kRules, kNow), RefusedWith(Reason::kBadToken)) << length;
  }
}

TEST_F(CheckTokenTest, NoCharacterOfATokenMayDiffer) {
  const std::string token = ec_.Sign(claims_);
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    const auto jwt = Jwt::Parse(other);
    if (!jwt.ok()) continue;
    EXPECT_THAT(CheckToken(*jwt, *keys_.Find("ec"), kRules, kNow), RefusedWith(Reason::kBadToken)) << i;
  }
}

TEST_F(CheckTokenTest, ClaimsOfOneTokenUnderTheSignatureOfAnotherAreABadToken) {
  TestClaims other(kNow);
  other.sub = "\"system:serviceaccount:ops:root\"";
  const std::string a = rsa_.Sign(claims_);
  const std::string b = rsa_.Sign(other.ToJson());
  EXPECT_THAT(Check(b.substr(0, b.rfind('.')) + a.substr(a.rfind('.'))), RefusedWith(Reason::kBadToken));
}

TEST_F(CheckTokenTest, ClaimsAreJudgedWhenTheSignatureIsGood) {
  EXPECT_THAT(Check(rsa_.Sign("{}")), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(rsa_.Sign("")), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Check(rsa_.Sign(rsa_.Sign(claims_))), RefusedWith(Reason::kBadToken));  // a token in a token
}

}  // namespace
}  // namespace lmbroker::identity
