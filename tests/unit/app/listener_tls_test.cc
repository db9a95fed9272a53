#include "service/app/listener_tls.h"

#include <array>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "service/identity/pem.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"

namespace lmbroker::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ListenerTlsTest : public ::testing::Test {
 protected:
  ListenerTlsTest() {
    ca_.IssueServer("first").WriteTo(folder_.path(), "server");
    WriteFile(folder_ / "ca.crt", ca_.root());
    config_.listen.certificate = folder_ / "server.crt";
    config_.listen.key = folder_ / "server.key";
    config_.listen.client_ca = folder_ / "ca.crt";
  }
  absl::Status Open() {
    auto opened = ListenerTls::Open({.logger = logger_, .metrics = metrics_, .standing = standing_}, config_);
    if (opened.ok()) tls_ = *std::move(opened);
    return opened.status();
  }
  // The serial number of the certificate that is served.
  std::string Identity() const { return identity::SerialOf(*SSL_CTX_get0_certificate(tls_->context().get())); }
  // The names of the authorities that callers are told.
  std::vector<std::string> Authorities() const {
    const STACK_OF(X509_NAME)* const all = SSL_CTX_get_client_CA_list(tls_->context().get());
    std::vector<std::string> names;
    for (int i = 0; i < sk_X509_NAME_num(all); ++i) {
      std::array<char, 64> name{};
      X509_NAME_get_text_by_NID(sk_X509_NAME_value(all, i), NID_commonName, name.data(), name.size());
      names.emplace_back(name.data());
    }
    return names;
  }

  TempDir folder_;
  const TestCa ca_{"ca"};
  FakeClock clock_{absl::Now()};
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{.version = "test"}};
  identity::Standing standing_{clock_};
  Config config_;
  std::unique_ptr<ListenerTls> tls_;
};

TEST_F(ListenerTlsTest, WhatTheFilesHoldIsServed) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(SSL_CTX_check_private_key(tls_->context().get()), 1);
  EXPECT_THAT(Authorities(), ElementsAre("ca"));
  EXPECT_EQ(SSL_CTX_get_verify_mode(tls_->context().get()), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
  EXPECT_EQ(tls_->error(), "");
}

TEST_F(ListenerTlsTest, WhereTokensCountACallerNeedsNoCertificate) {
  config_.identity.kubernetes.emplace();
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(SSL_CTX_get_verify_mode(tls_->context().get()), SSL_VERIFY_PEER);
}

TEST_F(ListenerTlsTest, ANewPairIsTakenAndOthersAreNotReadAgain) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_FALSE(tls_->Check());
  const std::string before = Identity();
  ca_.IssueServer("second").WriteTo(folder_.path(), "server");
  EXPECT_TRUE(tls_->Check());
  EXPECT_NE(Identity(), before);
  EXPECT_FALSE(tls_->Check());
}

TEST_F(ListenerTlsTest, APairThatDoesNotMatchKeepsTheOldOneUntilItDoes) {
  ASSERT_THAT(Open(), IsOk());
  const std::string before = Identity();
  const TestCertificate next = ca_.IssueServer("second");
  WriteFile(config_.listen.certificate, next.certificate);
  EXPECT_FALSE(tls_->Check());
  EXPECT_THAT(tls_->error(), HasSubstr("is not the key of the certificate"));
  EXPECT_EQ(Identity(), before);
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(lmbroker_reloads_total{result="failed",what="certificate"} 1)"));
  WriteFile(config_.listen.key, next.key);
  EXPECT_TRUE(tls_->Check());
  EXPECT_EQ(tls_->error(), "");
  EXPECT_NE(Identity(), before);
}

TEST_F(ListenerTlsTest, AKeyThatOthersMayReadIsNone) {
  ASSERT_THAT(Open(), IsOk());
  std::filesystem::permissions(config_.listen.key, std::filesystem::perms(0640));
  const std::string before = Identity();
  tls_->Reload();
  EXPECT_THAT(tls_->error(), HasSubstr("0640"));
  EXPECT_EQ(Identity(), before);
}

TEST_F(ListenerTlsTest, AnythingBadAtTheStartIsAnError) {
  WriteFile(config_.listen.client_ca, "nothing");
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has no certificate")));
}

TEST_F(ListenerTlsTest, ABundleWithABadCertificateIsBadAsAWhole) {
  ASSERT_THAT(Open(), IsOk());
  const TestCa other("other");
  WriteFile(config_.listen.client_ca, ca_.root() + other.root().substr(0, 150));
  EXPECT_FALSE(tls_->Check());
  EXPECT_THAT(Authorities(), ElementsAre("ca"));
  WriteFile(config_.listen.client_ca, ca_.root() + other.root());
  EXPECT_TRUE(tls_->Check());
  EXPECT_THAT(Authorities(), ElementsAre("ca", "other"));
}

TEST_F(ListenerTlsTest, WhatABundleHoldsBesideCertificatesIsPassedOver) {
  WriteFile(config_.listen.client_ca, "a comment\n" + ca_.IssueServer("x").key + ca_.root());
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(Authorities(), ElementsAre("ca"));
}

TEST_F(ListenerTlsTest, EveryAuthorityLetsInAndEachCountsForItsDomainAlone) {
  const TestCa domain("domain");
  WriteFile(folder_ / "domain.crt", domain.root());
  config_.identity.trust_domains = {{"a.example", folder_ / "domain.crt"}};
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(Authorities(), ElementsAre("ca", "domain"));
  EXPECT_TRUE(standing_.matters());
  const std::string leaf = ca_.IssueClient("spiffe://a.example/x").certificate;
  EXPECT_THAT(
      standing_.JudgeCertificate({"spiffe://a.example/x"}, [&] { return identity::PresentedCertificate{leaf}; }),
      RefusedWith(Reason::kNoIdentity));
}

TEST_F(ListenerTlsTest, RevocationsAreTakenAndABadFileKeepsThem) {
  config_.listen.revoked = folder_ / "revoked.yaml";
  WriteFile(config_.listen.revoked, "identities: [\"k8s:n/s\"]");
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(standing_.JudgeIdentity("k8s:n/s"), RefusedWith(Reason::kNoIdentity));
  WriteFile(config_.listen.revoked, "identity: [\"k8s:n/s\"]");
  EXPECT_FALSE(tls_->Check());
  EXPECT_THAT(tls_->error(), HasSubstr("revoked.yaml:1"));
  EXPECT_THAT(standing_.JudgeIdentity("k8s:n/s"), RefusedWith(Reason::kNoIdentity));
  std::filesystem::remove(config_.listen.revoked);
  EXPECT_FALSE(tls_->Check());
  EXPECT_THAT(standing_.JudgeIdentity("k8s:n/s"), RefusedWith(Reason::kNoIdentity));
}

}  // namespace
}  // namespace lmbroker::app
