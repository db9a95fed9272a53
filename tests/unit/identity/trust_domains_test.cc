#include "service/identity/trust_domains.h"

#include <string>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/test_pki.h"

namespace lmbroker::identity {
namespace {

class TrustDomainsTest : public ::testing::Test {
 protected:
  // As gRPC gives them: the leaf, and what stands behind it.
  absl::Status Verify(const TestCertificate& certificate, const std::string& identity) const {
    const std::string& pem = certificate.certificate;
    const std::size_t end = pem.find("-----END CERTIFICATE-----") + 26;
    return trust_->Verify(pem.substr(0, end), pem.substr(end), identity, absl::Now()).status();
  }

  const TestCa clients_{"clients"};
  const TestCa a_{"a"};
  const TestCa b_{"b"};
  const std::shared_ptr<const TrustDomains> trust_ =
      *TrustDomains::Make(clients_.root(), {{"a.example", a_.root()}, {"b.example", b_.root()}});
};

TEST_F(TrustDomainsTest, ADomainsAuthorityVouchesForItsIds) {
  EXPECT_THAT(Verify(a_.IssueClient("spiffe://a.example/x"), "spiffe://a.example/x"), IsOk());
  EXPECT_THAT(Verify(b_.IssueClient("spiffe://b.example/x"), "spiffe://b.example/x"), IsOk());
}

TEST_F(TrustDomainsTest, NoDomainsAuthorityVouchesForAnothersIds) {
  EXPECT_THAT(Verify(b_.IssueClient("spiffe://a.example/x"), "spiffe://a.example/x"), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(Verify(a_.IssueClient("spiffe://b.example/x"), "spiffe://b.example/x"), RefusedWith(Reason::kNoIdentity));
}

TEST_F(TrustDomainsTest, TheAuthorityOfOtherClientsVouchesForNoId) {
  EXPECT_THAT(Verify(clients_.IssueClient("spiffe://a.example/x"), "spiffe://a.example/x"),
              RefusedWith(Reason::kNoIdentity));
}

TEST_F(TrustDomainsTest, DomainsThatAreNotNamedHaveNoIds) {
  EXPECT_THAT(Verify(a_.IssueClient("spiffe://c.example/x"), "spiffe://c.example/x"), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(Verify(clients_.IssueClient("spiffe://c.example/x"), "spiffe://c.example/x"),
              RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(Verify(a_.IssueClient("spiffe://a.example.evil/x"), "spiffe://a.example.evil/x"),
              RefusedWith(Reason::kNoIdentity));
}

TEST_F(TrustDomainsTest, ADomainsAuthorityVouchesForNoDnsName) {
  EXPECT_THAT(Verify(clients_.Issue({.dns = {"ops.example"}}), "dns:ops.example"), IsOk());
  EXPECT_THAT(Verify(a_.Issue({.dns = {"ops.example"}}), "dns:ops.example"), RefusedWith(Reason::kNoIdentity));
}

TEST_F(TrustDomainsTest, IntermediatesAreFollowed) {
  const TestCa below = a_.IssueAuthority("below");
  EXPECT_THAT(Verify(below.IssueClient("spiffe://a.example/x"), "spiffe://a.example/x"), IsOk());
  EXPECT_THAT(Verify(below.IssueClient("spiffe://b.example/x"), "spiffe://b.example/x"),
              RefusedWith(Reason::kNoIdentity));
}

TEST_F(TrustDomainsTest, ACertificateCountsUntilItEndsAndTheChainWithIt) {
  const absl::Time end = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()) + 600);
  const auto leaf = a_.Issue({.uris = {"spiffe://a.example/x"}, .not_after = end});
  const auto until = trust_->Verify(leaf.certificate, "", "spiffe://a.example/x", absl::Now());
  EXPECT_THAT(until, IsOkAndHolds(end));
  EXPECT_THAT(trust_->Verify(leaf.certificate, "", "spiffe://a.example/x", end + absl::Seconds(1)),
              RefusedWith(Reason::kNoIdentity));
}

TEST_F(TrustDomainsTest, WhatIsNoCertificateIsRefused) {
  for (const std::string& pem : {std::string(), std::string("x"), a_.root().substr(0, 200)}) {
    EXPECT_THAT(trust_->Verify(pem, "", "spiffe://a.example/x", absl::Now()), RefusedWith(Reason::kNoIdentity));
  }
  const auto leaf = a_.IssueClient("spiffe://a.example/x");
  EXPECT_THAT(trust_->Verify(leaf.certificate, "x", "spiffe://a.example/x", absl::Now()),
              RefusedWith(Reason::kNoIdentity));
}

TEST(TrustDomainsMakeTest, ABadBundleIsNamed) {
  const TestCa ca;
  EXPECT_THAT(TrustDomains::Make(ca.root(), {{"a.example", "x"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("a.example")));
  EXPECT_THAT(TrustDomains::Make("", {}), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace lmbroker::identity
