#include "service/base/identity_text.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

using std::string_literals::operator""s;

TEST(IsSpiffeIdTest, TakesWorkloads) {
  EXPECT_TRUE(IsSpiffeId("spiffe://corp.example/ns/inventory/sa/app"));
  EXPECT_TRUE(IsSpiffeId("spiffe://corp_1-a.example/A.b_C-9"));
  EXPECT_TRUE(IsSpiffeId("spiffe://td/" + std::string(2036, 'a')));  // 2048 bytes
  EXPECT_TRUE(IsSpiffeId("spiffe://td/..."));
}

TEST(IsSpiffeIdTest, RefusesEverythingElse) {
  for (const std::string& text : {""s,
                                  "spiffe:"s,
                                  "spiffe://"s,
                                  "spiffe:///x"s,
                                  "spiffe://td"s,
                                  "spiffe://td/"s,
                                  "spiffe://td/a/"s,
                                  "spiffe://td//a"s,
                                  "spiffe://td/./a"s,
                                  "spiffe://td/a/.."s,
                                  "SPIFFE://td/a"s,
                                  "Spiffe://td/a"s,
                                  "spiffe://TD/a"s,
                                  "spiffe://td:80/a"s,
                                  "spiffe://user@td/a"s,
                                  "spiffe://td/a?b"s,
                                  "spiffe://td/a#b"s,
                                  "spiffe://td/a%2fb"s,
                                  "spiffe://td/a b"s,
                                  "spiffe://td/a\0b"s,
                                  "spiffe://td\0/a"s,
                                  "spiffe://t\xC3\xA4/a"s,
                                  "spiffe://td/\xC3\xA4"s,
                                  " spiffe://td/a"s,
                                  "spiffe://td/a\n"s,
                                  "https://td/a"s,
                                  "spiffe://td/a*"s,
                                  "spiffe://" + std::string(256, 'a') + "/a",
                                  "spiffe://td/" + std::string(2037, 'a')}) {
    EXPECT_FALSE(IsSpiffeId(text)) << text;
  }
}

TEST(IsDnsNameTest, TakesHostNames) {
  EXPECT_TRUE(IsDnsName("ops.corp.example"));
  EXPECT_TRUE(IsDnsName("localhost"));
  EXPECT_TRUE(IsDnsName("xn--bcher-kva.example"));
  EXPECT_TRUE(IsDnsName("1.2.example"));
  EXPECT_TRUE(IsDnsName(std::string(63, 'a') + ".example"));
}

TEST(IsDnsNameTest, RefusesEverythingElse) {
  const std::string label(63, 'a');
  for (const std::string& text : {""s,
                                  "."s,
                                  "a."s,
                                  ".a"s,
                                  "a..b"s,
                                  "A.example"s,
                                  "*.example"s,
                                  "a.*"s,
                                  "a_b.example"s,
                                  "-a.example"s,
                                  "a-.example"s,
                                  "10.0.0.1"s,
                                  "1"s,
                                  "::1"s,
                                  "[::1]"s,
                                  "a.example:80"s,
                                  "a b"s,
                                  "a\0.example"s,
                                  "a.example\0evil"s,
                                  "b\xC3\xBC"
                                  "cher.example"s,
                                  "a.example\n"s,
                                  "user@a.example"s,
                                  "https://a.example"s,
                                  "a/b"s,
                                  std::string(64, 'a') + ".example",
                                  label + "." + label + "." + label + "." + label}) {
    EXPECT_FALSE(IsDnsName(text)) << text;
  }
}

TEST(IsServiceAccountTest, TakesNamespaceAndName) {
  EXPECT_TRUE(IsServiceAccount("inventory/app"));
  EXPECT_TRUE(IsServiceAccount("kube-system/a.b-c.d"));
  for (const std::string_view text : {"", "a", "a/", "/a", "a/b/c", "A/b", "a/B", "a.b/c", "a:b/c", "a/b:c", "*/a"}) {
    EXPECT_FALSE(IsServiceAccount(text)) << text;
  }
}

TEST(IdentityProblemTest, NamesTheFormThatIsWanted) {
  EXPECT_EQ(IdentityProblem("spiffe://corp.example/a"), "");
  EXPECT_EQ(IdentityProblem("dns:ops.corp.example"), "");
  EXPECT_EQ(IdentityProblem("k8s:inventory/app"), "");
  for (const std::string_view text : {"", "ops.corp.example", "dns:", "dns:OPS.example", "dns:*.example", "k8s:app",
                                      "k8s:", "cn:app", "spiffe://", "DNS:ops.example", "any", "*"}) {
    EXPECT_NE(IdentityProblem(text), "") << text;
  }
}

}  // namespace
}  // namespace lmbroker
