#include "service/identity/certificate.h"

#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_pki.h"

namespace lmbroker::identity {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;

TEST(IdentitiesOfTest, OneSpiffeUriIsTheIdentity) {
  const auto identities = IdentitiesOf({.uris = {"spiffe://corp.example/ns/inventory/sa/app"}});
  ASSERT_THAT(identities, IsOk());
  EXPECT_THAT(*identities, ElementsAre("spiffe://corp.example/ns/inventory/sa/app"));
}

TEST(IdentitiesOfTest, SpiffeUriGoesBeforeDnsNamesAndOtherUris) {
  const auto identities = IdentitiesOf(
      {.uris = {"https://inventory.corp.example/", "spiffe://corp.example/a"}, .dns_names = {"ops.corp.example"}});
  ASSERT_THAT(identities, IsOk());
  EXPECT_THAT(*identities, ElementsAre("spiffe://corp.example/a"));
}

TEST(IdentitiesOfTest, DnsNamesAreIdentitiesInLowerCase) {
  const auto identities =
      IdentitiesOf({.uris = {"https://x.example/"}, .dns_names = {"OPS.Corp.example", "xn--bcher-kva.example"}});
  ASSERT_THAT(identities, IsOk());
  EXPECT_THAT(*identities, ElementsAre("dns:ops.corp.example", "dns:xn--bcher-kva.example"));
}

TEST(IdentitiesOfTest, WildcardNamesNobody) {
  const auto identities = IdentitiesOf({.dns_names = {"*.corp.example", "a.corp.example"}});
  ASSERT_THAT(identities, IsOk());
  EXPECT_THAT(*identities, ElementsAre("dns:a.corp.example"));
  EXPECT_THAT(IdentitiesOf({.dns_names = {"*.corp.example"}}), RefusedWith(Reason::kNoIdentity));
}

struct Hostile {
  std::string name;
  CertificateNames names;
};
void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class HostileCertificate : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileCertificate, IsNoIdentity) {
  EXPECT_THAT(IdentitiesOf(GetParam().names), RefusedWith(Reason::kNoIdentity));
}

const std::string kLabel(63, 'a');

const std::vector<Hostile> kHostile = {
    {"Nothing", {}},
    {"OnlyOtherUris", {.uris = {"https://ops.corp.example/", "urn:uuid:1"}}},
    {"TwoSpiffeUris", {.uris = {"spiffe://corp.example/a", "spiffe://corp.example/b"}}},
    {"SameSpiffeUriTwice", {.uris = {"spiffe://corp.example/a", "spiffe://corp.example/a"}}},
    {"TwoSpiffeUrisOneMalformed", {.uris = {"spiffe://corp.example/a", "SPIFFE://x"}}},
    {"SpiffeInUpperCase", {.uris = {"SPIFFE://corp.example/a"}}},
    {"MalformedSpiffeHidesNoDnsName", {.uris = {"spiffe://corp.example"}, .dns_names = {"ops.corp.example"}}},
    {"SpiffeWithoutSlashes", {.uris = {"spiffe:corp.example/a"}, .dns_names = {"ops.corp.example"}}},
    {"SpiffeWithQuery", {.uris = {"spiffe://corp.example/a?x=1"}}},
    {"SpiffeWithFragment", {.uris = {"spiffe://corp.example/a#x"}}},
    {"SpiffeWithPort", {.uris = {"spiffe://corp.example:8443/a"}}},
    {"SpiffeWithUserInfo", {.uris = {"spiffe://ops@corp.example/a"}}},
    {"SpiffeWithUpperCaseDomain", {.uris = {"spiffe://Corp.example/a"}}},
    {"SpiffeWithDots", {.uris = {"spiffe://corp.example/a/../ops"}}},
    {"SpiffeWithEmptySegment", {.uris = {"spiffe://corp.example//ops"}}},
    {"SpiffeWithTrailingSlash", {.uris = {"spiffe://corp.example/ops/"}}},
    {"SpiffeWithEncoding", {.uris = {"spiffe://corp.example/%6fps"}}},
    {"SpiffeWithNul", {.uris = {"spiffe://corp.example/ops\0.evil"s}}},
    {"SpiffeTooLong", {.uris = {"spiffe://corp.example/" + std::string(2048, 'a')}}},
    {"DnsWithNul", {.dns_names = {"ops.corp.example\0.evil.example"s}}},
    {"DnsWithNulBesideGoodName", {.dns_names = {"a.corp.example", "ops.corp.example\0"s}}},
    {"DnsWithTrailingDot", {.dns_names = {"ops.corp.example."}}},
    {"DnsEmpty", {.dns_names = {""}}},
    {"DnsStarAlone", {.dns_names = {"*"}}},
    {"DnsStarInside", {.dns_names = {"ops.*.example"}}},
    {"DnsStarInLabel", {.dns_names = {"o*s.corp.example"}}},
    {"DnsDoubleStar", {.dns_names = {"*.*.example"}}},
    {"DnsUnicode",
     {.dns_names = {"b\xC3\xBC"
                    "cher.example"}}},
    {"DnsCyrillicLookalike", {.dns_names = {"\xD0\xBEps.corp.example"}}},
    {"DnsBlank", {.dns_names = {"ops.corp.example "}}},
    {"DnsLineBreak", {.dns_names = {"ops.corp.example\n"}}},
    {"DnsUnderscore", {.dns_names = {"_ops.corp.example"}}},
    {"DnsAddress", {.dns_names = {"10.0.0.1"}}},
    {"DnsWithPort", {.dns_names = {"ops.corp.example:443"}}},
    {"DnsWithPrefix", {.dns_names = {"dns:ops.corp.example"}}},
    {"DnsLabelTooLong", {.dns_names = {std::string(64, 'a') + ".example"}}},
    {"DnsTooLong", {.dns_names = {kLabel + "." + kLabel + "." + kLabel + "." + kLabel}}},
    {"TooManyNames", {.dns_names = std::vector<std::string>(101, "ops.corp.example")}},
};

INSTANTIATE_TEST_SUITE_P(Table, HostileCertificate, ::testing::ValuesIn(kHostile),
                         [](const auto& test) { return test.param.name; });

TEST(IdentitiesOfTest, RefusalShowsNoBytesOfTheCertificate) {
  const auto identities = IdentitiesOf({.dns_names = {"evil\x1b[31m.example"}});
  EXPECT_EQ(std::string(identities.status().message()).find("evil"), std::string::npos);
}

TEST(NamesOfTest, AreTheAlternativeNamesOfACertificateAndNotItsCommonName) {
  const TestCa ca;
  const auto names = NamesOf(ca.Issue({.common_name = "spiffe://corp.example/ops",
                                       .dns = {"a.example", "b.example"},
                                       .uris = {"spiffe://corp.example/a", "https://x.example/"},
                                       .ips = {"10.0.0.1"}})
                                 .certificate);
  ASSERT_THAT(names, IsOk());
  EXPECT_THAT(names->uris, ElementsAre("spiffe://corp.example/a", "https://x.example/"));
  EXPECT_THAT(names->dns_names, ElementsAre("a.example", "b.example"));
}

TEST(NamesOfTest, ABareCommonNameIsNoName) {
  const TestCa ca;
  const auto names = NamesOf(ca.Issue({.common_name = "ops.corp.example"}).certificate);
  ASSERT_THAT(names, IsOk());
  EXPECT_TRUE(names->uris.empty() && names->dns_names.empty());
  EXPECT_THAT(IdentitiesOf(*names), RefusedWith(Reason::kNoIdentity));
}

TEST(NamesOfTest, BytesBehindANulStayInTheName) {
  const TestCa ca;
  const auto names = NamesOf(ca.Issue({.dns = {"ops.corp.example\0.evil.example"s}}).certificate);
  ASSERT_THAT(names, IsOk());
  EXPECT_THAT(names->dns_names, ElementsAre("ops.corp.example\0.evil.example"s));
}

TEST(NamesOfTest, WhatIsNoCertificateHasNoNames) { EXPECT_THAT(NamesOf("nothing"), RefusedWith(Reason::kNoIdentity)); }

}  // namespace
}  // namespace lmbroker::identity
