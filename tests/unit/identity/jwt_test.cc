#include "service/identity/jwt.h"

#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/encoding.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::identity {
namespace {

using std::string_literals::operator""s;

std::string With(const std::string& header) { return crypto::EncodeBase64Url(header) + ".e30.c2ln"; }

TEST(JwtTest, IsTakenApart) {
  const std::string token = With(R"({"alg":"ES256","kid":"k1"})");
  const auto jwt = Jwt::Parse(token);
  ASSERT_THAT(jwt, IsOk());
  EXPECT_EQ(jwt->algorithm, SignatureAlgorithm::kEs256);
  EXPECT_EQ(jwt->key_id, "k1");
  EXPECT_EQ(jwt->signed_part, token.substr(0, token.rfind('.')));
  EXPECT_EQ(jwt->claims, "e30");
  EXPECT_EQ(jwt->signature, "c2ln");
}

TEST(JwtTest, TypeMayBeMissingOrJwt) {
  EXPECT_THAT(Jwt::Parse(With(R"({"alg":"RS256","kid":"k"})")), IsOk());
  EXPECT_THAT(Jwt::Parse(With(R"({"alg":"RS256","kid":"k","typ":"JWT"})")), IsOk());
  EXPECT_THAT(Jwt::Parse(With(R"({"alg":"RS256","kid":"k","typ":"jwt"})")), IsOk());
}

TEST(JwtTest, KeysThatATokenBringsAlongAreNotLookedAt) {
  const auto jwt = Jwt::Parse(With(R"({"alg":"RS256","kid":"k","jku":"https://evil/","jwk":{"kty":"oct"},"x5u":"x"})"));
  ASSERT_THAT(jwt, IsOk());
  EXPECT_EQ(jwt->key_id, "k");
}

struct Hostile {
  std::string name;
  std::string token;
};
void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class HostileJwt : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileJwt, IsABadToken) {
  const auto jwt = Jwt::Parse(GetParam().token);
  EXPECT_THAT(jwt, RefusedWith(Reason::kBadToken));
  EXPECT_LT(jwt.status().message().size(), 300U);
}

std::string Nested(int depth) {
  std::string value = "1";
  for (int i = 0; i < depth; ++i) value = R"({"a":)" + value + "}";
  return R"({"alg":"RS256","kid":"k","x":)" + value + "}";
}

const std::vector<Hostile> kHostile = {
    {"Empty", ""},
    {"OneDot", "."},
    {"TwoDots", ".."},
    {"OnePart", "eyJhbGciOiJSUzI1NiJ9"},
    {"TwoParts", "e30.e30"},
    {"FourParts", With(R"({"alg":"RS256","kid":"k"})") + ".x"},
    {"EncryptedFiveParts", With(R"({"alg":"RS256","kid":"k"})") + ".x.y"},
    {"NoHeader", ".e30.c2ln"},
    {"HeaderIsNoBase64", "{\"alg\":\"RS256\"}.e30.c2ln"},
    {"HeaderWithPadding", crypto::EncodeBase64Url(R"({"alg":"RS256","kid":"k" })") + "=.e30.c2ln"},
    {"HeaderWithSpace", " " + With(R"({"alg":"RS256","kid":"k"})")},
    {"HeaderIsNoObject", With("[]")},
    {"HeaderIsText", With("\"RS256\"")},
    {"HeaderIsCut", With(R"({"alg":"RS256","kid":"k")")},
    {"HeaderAndMore", With(R"({"alg":"RS256","kid":"k"}{})")},
    {"AlgorithmMissing", With(R"({"kid":"k"})")},
    {"AlgorithmNone", With(R"({"alg":"none","kid":"k"})")},
    {"AlgorithmNoneInCapitals", With(R"({"alg":"NONE","kid":"k"})")},
    {"AlgorithmEmpty", With(R"({"alg":"","kid":"k"})")},
    {"AlgorithmNull", With(R"({"alg":null,"kid":"k"})")},
    {"AlgorithmIsAList", With(R"({"alg":["RS256"],"kid":"k"})")},
    {"AlgorithmHmac", With(R"({"alg":"HS256","kid":"k"})")},
    {"AlgorithmPss", With(R"({"alg":"PS256","kid":"k"})")},
    {"AlgorithmRs1", With(R"({"alg":"RS1","kid":"k"})")},
    {"AlgorithmInLowerCase", With(R"({"alg":"rs256","kid":"k"})")},
    {"AlgorithmTwice", With(R"({"alg":"none","alg":"RS256","kid":"k"})")},
    {"AlgorithmTwiceByEscape", With(R"({"alg":"RS256","\u0061lg":"none","kid":"k"})")},
    {"KeyMissing", With(R"({"alg":"RS256"})")},
    {"KeyEmpty", With(R"({"alg":"RS256","kid":""})")},
    {"KeyIsANumber", With(R"({"alg":"RS256","kid":1})")},
    {"KeyIsLong", With(R"({"alg":"RS256","kid":")" + std::string(300, 'k') + "\"}")},
    {"Critical", With(R"({"alg":"RS256","kid":"k","crit":["b64"],"b64":false})")},
    {"CriticalEmpty", With(R"({"alg":"RS256","kid":"k","crit":[]})")},
    {"OtherType", With(R"({"alg":"RS256","kid":"k","typ":"at+jwt"})")},
    {"TypeIsANumber", With(R"({"alg":"RS256","kid":"k","typ":1})")},
    {"NotUtf8", With("{\"alg\":\"RS256\",\"kid\":\"\xFF\"}")},
    {"NestedDeep", With(Nested(20))},
    {"NestedVeryDeep", With(Nested(900))},
    {"Nul", With("{\"alg\":\"RS256\",\"kid\":\"k\"}\0"s)},
    {"Huge", With(R"({"alg":"RS256","kid":"k"})") + std::string(kMostTokenBytes, 'A')},
};

INSTANTIATE_TEST_SUITE_P(Table, HostileJwt, ::testing::ValuesIn(kHostile),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker::identity
