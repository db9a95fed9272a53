#include "service/identity/key_set.h"

#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

const TokenKey& Rsa() {
  static const TokenKey key = TokenKey::Rsa("rsa");
  return key;
}
const TokenKey& P256() {
  static const TokenKey key = TokenKey::P256("ec");
  return key;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(KeySetTest, HasTheKeysByName) {
  const auto keys = KeySet::Parse(R"({"keys":[)" + Rsa().jwk() + "," + P256().jwk() + R"(],"more":1})");
  ASSERT_THAT(keys, IsOk());
  EXPECT_EQ(keys->size(), 2U);
  EXPECT_EQ(keys->Find("rsa")->algorithm(), SignatureAlgorithm::kRs256);
  EXPECT_EQ(keys->Find("ec")->algorithm(), SignatureAlgorithm::kEs256);
  EXPECT_EQ(keys->Find("RSA"), nullptr);
  EXPECT_EQ(keys->Find(""), nullptr);
}

TEST(KeySetTest, KeysForOtherThingsArePassedOver) {
  const std::string others =
      R"({"kty":"oct","kid":"a","k":"c2VjcmV0"},{"kty":"OKP","kid":"b","crv":"Ed25519","x":"AA"},)"
      R"({"kty":"EC","kid":"c","crv":"P-384","x":"AA","y":"AA"},{"kty":"RSA","use":"enc","kid":"d","n":"AA","e":"AQAB"},)"
      R"({"kty":"RSA","alg":"PS256","kid":"e","n":"AA","e":"AQAB"},{"kty":"RSA","n":"AA","e":"AQAB"},)";
  const auto keys = KeySet::Parse(R"({"keys":[)" + others + Rsa().jwk() + "]}");
  ASSERT_THAT(keys, IsOk());
  EXPECT_EQ(keys->size(), 1U);
}

struct Bad {
  std::string name;
  std::string text;
  std::string problem;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadKeySet : public ::testing::TestWithParam<Bad> {};

TEST_P(BadKeySet, IsRefusedWhole) {
  EXPECT_THAT(KeySet::Parse(GetParam().text),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr(GetParam().problem)));
}

std::string Keys(std::size_t count) {
  std::string text = R"({"keys":[)";
  for (std::size_t i = 0; i < count; ++i) text += R"({"kty":"oct"},)";
  return text + Rsa().jwk() + "]}";
}

const std::vector<Bad> kBad = {
    {"Empty", "", "is no JSON object"},
    {"NoObject", "[]", "is no JSON object"},
    {"NoKeys", "{}", "is no JSON object"},
    {"KeysIsNoArray", R"({"keys":{}})", "is no JSON object"},
    {"KeysTwice", R"({"keys":[],"keys":[]})", "is no JSON object"},
    {"NoneOfOurs", R"({"keys":[]})", "has no key"},
    {"Cut", Rsa().jwks().substr(0, 100), "is no JSON object"},
    {"KeyIsNoObject", R"({"keys":[1]})", "`keys[0]`, which is no object"},
    {"SameNameTwice", R"({"keys":[)" + Rsa().jwk() + "," + Rsa().jwk() + "]}", "two keys of one name"},
    {"WithoutModulus", Replaced(Rsa().jwks(), "\"n\":", "\"m\":"), "`n` in base64url"},
    {"ExponentIsANumber", Replaced(Rsa().jwks(), "\"AQAB\"", "65537"), "`e` in base64url"},
    {"ExponentOne", Replaced(Rsa().jwks(), "\"AQAB\"", "\"AQ\""), "exponent"},
    {"ModulusWithPadding", Replaced(Rsa().jwks(), "\",\"e\"", "==\",\"e\""), "`n` in base64url"},
    {"WeakRsa", TokenKey::Rsa("weak", 1024).jwks(), "2048 to 8192 bits"},
    {"OffTheCurve",
     Replaced(P256().jwks(), "\"x\":\"", "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"z\":\""),
     "no point of P-256"},
    {"ShortCoordinate", Replaced(P256().jwks(), "\"x\":\"", "\"x\":\"AAAA\",\"z\":\""), "32 bytes"},
    {"TooManyKeys", Keys(64), "more than 64 keys"},
    {"TooLong", std::string(kMostKeySetBytes + 1, ' '), "256 KiB"},
    {"Nested", R"({"keys":[{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}]})", "is no JSON object"},
};

INSTANTIATE_TEST_SUITE_P(Table, BadKeySet, ::testing::ValuesIn(kBad), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker::identity
