#include "service/identity/discovery.h"

#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/https_service.h"
#include "service/identity/kubernetes_api.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tls_server.h"

namespace lmbroker::identity {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kIssuer = "https://kubernetes.default.svc";

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() { WriteFile(folder_ / "ca.crt", ca_.root()); }

  // Fetches from a server that says this of itself; `{}` in the document is its own address.
  absl::StatusOr<std::string> Fetch(const std::string& document, const std::string& keys = "{\"keys\":[]}") {
    std::string address;
    const TlsServer server(certificate_, [&](TlsServer::Session& session) {
      while (true) {
        const std::string request = session.ReadRequest();
        if (request.empty()) return;
        asked_.push_back(request.substr(4, request.find(' ', 4) - 4));
        const bool is_document = asked_.back() == "/.well-known/openid-configuration";
        session.Write(document.starts_with("HTTP/") ? document
                      : is_document                 ? OkReply(fmt::format(fmt::runtime(document), address))
                                                    : OkReply(keys));
      }
    });
    address = fmt::format("https://localhost:{}", server.port());
    HttpsService api({.address = address, .ca = folder_ / "ca.crt", .timeout = absl::Seconds(20)}, kKubernetesApi);
    return FetchKeys(api, kIssuer);
  }

  TempDir folder_;
  const TestCa ca_;
  const TestCertificate certificate_ = ca_.IssueServer("localhost");
  std::vector<std::string> asked_;  // read when the exchange is over
};

TEST_F(DiscoveryTest, KeysComeFromWhereTheDocumentSays) {
  EXPECT_THAT(Fetch(R"({{"issuer":"https://kubernetes.default.svc","jwks_uri":"{}/keys/here"}})", "the keys"),
              IsOkAndHolds("the keys"));
  EXPECT_THAT(asked_, ElementsAre("/.well-known/openid-configuration", "/keys/here"));
}

TEST_F(DiscoveryTest, NoOtherHostIsAsked) {
  for (const char* uri : {"https://192.0.2.1:6443/openid/v1/jwks", "https://evil.example/keys", "http://localhost/keys",
                          "{}.evil.example/keys", "{}@evil.example/keys", "", "/keys", "{}"}) {
    asked_.clear();
    EXPECT_THAT(
        Fetch(std::string(R"({{"issuer":"https://kubernetes.default.svc","jwks_uri":")") + uri + "\"}}", "the keys"),
        IsOkAndHolds("the keys"));
    EXPECT_THAT(asked_, ElementsAre("/.well-known/openid-configuration", "/openid/v1/jwks")) << uri;
  }
}

TEST_F(DiscoveryTest, ADocumentOfAnotherIssuerIsNone) {
  EXPECT_THAT(Fetch(R"({{"issuer":"https://elsewhere"}})"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another issuer")));
  EXPECT_THAT(Fetch("{{}}"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Fetch("[]"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no JSON object")));
}

TEST_F(DiscoveryTest, ARefusalOfTheApiSaysWhatToLookAt) {
  EXPECT_THAT(Fetch("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("answered 403; see whether the broker's service account may read it")));
}

}  // namespace
}  // namespace lmbroker::identity
