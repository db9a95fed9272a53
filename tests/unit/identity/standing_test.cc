#include "service/identity/standing.h"

#include <string>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "service/identity/pem.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_pki.h"

namespace lmbroker::identity {
namespace {

std::shared_ptr<const Revocations> Revoked(const std::string& yaml) {
  Issues issues("revoked.yaml");
  return Revocations::Parse(yaml, issues);
}

class StandingTest : public ::testing::Test {
 protected:
  absl::Status Judge(const TestCertificate& certificate, const std::vector<std::string>& identities) {
    return standing_.JudgeCertificate(identities, [&] {
      ++asked_;
      return PresentedCertificate{.leaf = certificate.certificate};
    });
  }
  static std::string SerialIn(const TestCertificate& certificate) {
    return SerialOf(*ReadCertificates(certificate.certificate)->front());
  }

  FakeClock clock_{absl::Now()};
  Standing standing_{clock_};
  const TestCa a_{"a"};
  const TestCa b_{"b"};
  int asked_ = 0;
};

TEST_F(StandingTest, WithoutRulesNothingMatters) {
  EXPECT_FALSE(standing_.matters());
  standing_.Put(Revoked(""));
  EXPECT_FALSE(standing_.matters());
  standing_.Put(Revoked("identities: [\"k8s:n/s\"]"));
  EXPECT_TRUE(standing_.matters());
}

TEST_F(StandingTest, ARevokedIdentityIsRefusedAndMayBeLetInAgain) {
  const auto certificate = a_.Issue({.dns = {"x.example"}});
  standing_.Put(Revoked("identities: [\"dns:x.example\", \"k8s:n/s\"]"));
  const absl::Status judged = Judge(certificate, {"dns:x.example"});
  EXPECT_THAT(judged, RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(std::string(judged.message()), ::testing::HasSubstr("revoked"));
  EXPECT_THAT(standing_.JudgeIdentity("k8s:n/s"), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(standing_.JudgeIdentity("k8s:n/t"), IsOk());
  standing_.Put(Revoked(""));
  EXPECT_THAT(Judge(certificate, {"dns:x.example"}), IsOk());
}

TEST_F(StandingTest, OneRevokedNameOfACertificateIsEnough) {
  standing_.Put(Revoked("identities: [\"dns:b.example\"]"));
  EXPECT_THAT(Judge(a_.Issue({}), {"dns:a.example", "dns:b.example"}), RefusedWith(Reason::kNoIdentity));
}

TEST_F(StandingTest, ACertificateIsNotLookedIntoWhereNoSerialIsRevoked) {
  standing_.Put(Revoked("identities: [\"dns:b.example\"]"));
  EXPECT_THAT(Judge(a_.Issue({}), {"dns:a.example"}), IsOk());
  EXPECT_EQ(asked_, 0);
}

TEST_F(StandingTest, ARevokedSerialIsRefused) {
  const auto good = a_.Issue({.dns = {"x.example"}});
  const auto bad = a_.Issue({.dns = {"x.example"}});
  standing_.Put(Revoked("serials: [\"" + SerialIn(bad) + "\"]"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Judge(bad, {"dns:x.example"}), RefusedWith(Reason::kNoIdentity));
    EXPECT_THAT(Judge(good, {"dns:x.example"}), IsOk());
  }
  standing_.Put(Revoked("serials: [\"" + SerialIn(good) + "\"]"));
  EXPECT_THAT(Judge(bad, {"dns:x.example"}), IsOk());
  EXPECT_THAT(Judge(good, {"dns:x.example"}), RefusedWith(Reason::kNoIdentity));
}

TEST_F(StandingTest, TrustDomainsAreJudgedAndAChangeCountsAtOnce) {
  const auto certificate = b_.IssueClient("spiffe://a.example/x");
  standing_.Put(*TrustDomains::Make(b_.root(), {{"a.example", b_.root()}}));
  EXPECT_THAT(Judge(certificate, {"spiffe://a.example/x"}), IsOk());
  standing_.Put(*TrustDomains::Make(b_.root(), {{"a.example", a_.root()}}));
  EXPECT_THAT(Judge(certificate, {"spiffe://a.example/x"}), RefusedWith(Reason::kNoIdentity));
}

TEST_F(StandingTest, WhatIsRememberedOfACertificateEndsWithIt) {
  const auto certificate = a_.Issue({.uris = {"spiffe://a.example/x"}, .not_after = clock_.Now() + absl::Hours(1)});
  standing_.Put(*TrustDomains::Make(b_.root(), {{"a.example", a_.root()}}));
  EXPECT_THAT(Judge(certificate, {"spiffe://a.example/x"}), IsOk());
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(Judge(certificate, {"spiffe://a.example/x"}), RefusedWith(Reason::kNoIdentity));
}

TEST_F(StandingTest, ACertificateThatCannotBeReadIsRefused) {
  standing_.Put(Revoked("serials: [1]"));
  EXPECT_THAT(Judge({.certificate = "x"}, {"dns:x.example"}), RefusedWith(Reason::kNoIdentity));
}

}  // namespace
}  // namespace lmbroker::identity
