// How connections are made, and which are refused.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/portal_client.h"
#include "tests/unit/http/portal_client_fixture.h"

namespace lmbroker::http {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PortalClientTlsTest : public PortalClientFixture {
 protected:
  // One exchange with a server that shows `certificate`; it must fail in the handshake.
  std::string ProblemWith(const TestCertificate& certificate, TlsServer::Options options = {}) {
    const TlsServer server(certificate, AnswerAll(OkReply("{}")), options);
    const auto client = Connect(At(server.port()));
    const TransferResult result = Exchange(*client);
    EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
    EXPECT_EQ(PhaseOf(result), "tls");
    EXPECT_EQ(result.delivery, Delivery::kNotSent);
    EXPECT_EQ(StatsOf(*client).open, 0U);
    return std::string(result.response.status().message());
  }
};

TEST_F(PortalClientTlsTest, CertificateForAnotherHostIsRefused) {
  EXPECT_THAT(ProblemWith(ca_.IssueServer("other.example")), HasSubstr("another host name"));
  EXPECT_THAT(ProblemWith(ca_.Issue({.common_name = std::string(kHost), .dns = {"other.example"}})),
              HasSubstr("another host name"));
  EXPECT_THAT(ProblemWith(ca_.Issue({.ips = {"127.0.0.1"}})), HasSubstr("another host name"));
  EXPECT_THAT(ProblemWith(ca_.IssueServer("*.acme.example")), HasSubstr("another host name"));
}

TEST_F(PortalClientTlsTest, UnknownAuthorityIsRefused) {
  EXPECT_THAT(ProblemWith(TestCa("Test CA").IssueServer(std::string(kHost))), HasSubstr("certificate"));
}

TEST_F(PortalClientTlsTest, CertificateOutsideItsTimeIsRefused) {
  const absl::Time now = absl::Now();
  EXPECT_THAT(
      ProblemWith(ca_.Issue(
          {.dns = {std::string(kHost)}, .not_before = now - absl::Hours(2), .not_after = now - absl::Hours(1)})),
      HasSubstr("expired"));
  EXPECT_THAT(ProblemWith(ca_.Issue({.dns = {std::string(kHost)}, .not_before = now + absl::Hours(1)})),
              HasSubstr("not yet valid"));
}

TEST_F(PortalClientTlsTest, OldProtocolIsRefused) {
  ProblemWith(ca_.IssueServer(std::string(kHost)), {.lowest_version = TLS1_VERSION, .highest_version = TLS1_1_VERSION});
}

TEST_F(PortalClientTlsTest, Tls12AndTls13AreGood) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsServer server(ca_.IssueServer(std::string(kHost)), AnswerAll(OkReply("{}")),
                           {.lowest_version = version, .highest_version = version});
    const auto client = Connect(At(server.port()));
    EXPECT_THAT(Exchange(*client).response, IsOk());
    EXPECT_THAT(Exchange(*client).response, IsOk());
    EXPECT_EQ(server.accepted(), 1);
  }
}

TEST_F(PortalClientTlsTest, IntermediateAuthorityIsFollowedAndMayBePinned) {
  const TestCa intermediate = ca_.IssueAuthority("Intermediate");
  const TlsServer server(intermediate.IssueServer(std::string(kHost)), AnswerAll(OkReply("{}")));
  EXPECT_THAT(Exchange(*Connect(At(server.port()))).response, IsOk());
  WriteFile(dir_ / "ca.crt", intermediate.certificate());
  EXPECT_THAT(Exchange(*Connect(At(server.port()))).response, IsOk());
}

TEST_F(PortalClientTlsTest, SystemBundleDoesNotTrustStrangers) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  Upstream upstream = At(server->port());
  upstream.ca_file.clear();
  EXPECT_EQ(PhaseOf(Exchange(*Connect(std::move(upstream)))), "tls");
}

TEST_F(PortalClientTlsTest, SessionIsResumedOnTheNextConnection) {
  std::atomic<int> resumed = 0;
  const auto server = Serve([&](TlsServer::Session& session) {
    if (session.resumed()) ++resumed;
    session.ReadRequest();
    session.Write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 10; ++i) ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 10);
  EXPECT_EQ(resumed, 9);
}

TEST_F(PortalClientTlsTest, ServerThatNeverShakesHandsRunsIntoTheConnectTimeout) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto client = Connect(At(ntohs(address.sin_port)), {.connect_timeout = absl::Milliseconds(200)});
  const TransferResult result = Exchange(*client);
  EXPECT_EQ(PhaseOf(result), "tls");
  EXPECT_THAT(std::string(result.response.status().message()), HasSubstr("in time"));
  close(listener);
  const TransferResult refused = Exchange(*client);
  EXPECT_EQ(PhaseOf(refused), "connect");
  EXPECT_EQ(refused.delivery, Delivery::kNotSent);
}

TEST_F(PortalClientTlsTest, FailedConnectionFailsEveryoneWhoWaitsForOne) {
  const TlsServer server(ca_.IssueServer("other.example"), AnswerAll(OkReply("{}")));
  Upstream upstream = At(server.port());
  upstream.most_connections = 2;
  const auto client = Connect(std::move(upstream));
  std::vector<std::future<TransferResult>> transfers;
  for (int i = 0; i < 10; ++i)
    transfers.push_back(Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20))));
  for (auto& transfer : transfers) EXPECT_EQ(PhaseOf(transfer.get()), "tls");
}

TEST_F(PortalClientTlsTest, NameThatCannotBeResolvedIsSaidSo) {
  Upstream upstream = At(443);
  upstream.host = "no-such-portal.invalid";
  upstream.resolve.clear();
  const TransferResult result = Exchange(*Connect(std::move(upstream)));
  EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_EQ(PhaseOf(result), "resolve");
}

TEST_F(PortalClientTlsTest, PrivateAddressBehindANameIsNotConnectedTo) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  // Names and the spellings of an IPv4 address that libcurl resolves by itself.
  for (const std::string host : {"localhost", "127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "0"}) {
    Upstream upstream = At(server->port());
    upstream.host = host;
    upstream.resolve.clear();
    upstream.allow_private_address = false;
    const TransferResult result = Exchange(*Connect(std::move(upstream)));
    EXPECT_EQ(PhaseOf(result), "connect") << host;
    EXPECT_THAT(std::string(result.response.status().message()), HasSubstr("allow_private_address")) << host;
  }
  EXPECT_EQ(server->accepted() + server->refused(), 0);
}

TEST_F(PortalClientTlsTest, FixedAddressMayBeIpv6) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  Upstream upstream = At(server->port());
  upstream.resolve = "::1";  // where the server does not listen; so the address was understood, and tried
  EXPECT_EQ(PhaseOf(Exchange(*Connect(std::move(upstream)))), "connect");
}

TEST_F(PortalClientTlsTest, ProxyFromTheEnvironmentIsIgnored) {
  const auto proxy = Serve(AnswerAll(OkReply("proxy")));
  const auto server = Serve(AnswerAll(OkReply("portal")));
  const std::string url = "http://127.0.0.1:" + std::to_string(proxy->port());
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"})
    setenv(name, url.c_str(), 1);
  const TransferResult result = Exchange(*Connect(At(server->port())));
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"}) unsetenv(name);
  ASSERT_THAT(result.response, IsOk());
  EXPECT_EQ(result.response->body, "portal");
  EXPECT_EQ(proxy->accepted() + proxy->refused(), 0);
}

TEST_F(PortalClientTlsTest, EveryProblemOfTheUpstreamsIsNamedAtOnce) {
  std::vector<Upstream> upstreams;
  const auto add = [&](std::string_view portal) -> Upstream& {
    upstreams.push_back(At(443));
    upstreams.back().portal = *PortalName::FromId(portal, "portal");
    return upstreams.back();
  };
  add("host").host = "evil.example/path?";
  add("port").port = 0;
  add("none").most_connections = 0;
  add("octal").resolve = "0177.0.0.1";
  Upstream& loopback = add("private");
  loopback.allow_private_address = false;
  add("missing").ca_file = dir_ / "absent.crt";
  WriteFile(dir_ / "garbage.crt", "no certificate here");
  add("garbage").ca_file = dir_ / "garbage.crt";
  const absl::Status status = PortalClient::Create({}, std::move(upstreams), clock_, *loop_).status();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("portals/host: `host`"), HasSubstr("portals/port: `port`"),
                    HasSubstr("portals/none: `connections`"), HasSubstr("portals/octal: `resolve`"),
                    HasSubstr("portals/private: `resolve`"), HasSubstr("absent.crt"), HasSubstr("garbage.crt")));
}

}  // namespace
}  // namespace lmbroker::http
