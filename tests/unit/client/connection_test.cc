#include "client/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <optional>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/refusal.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/fake_broker.h"

namespace lmbroker::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Stub = v1::TokenService::Stub;

class ConnectionTest : public ::testing::Test {
 protected:
  // One GetToken over a new connection.
  static absl::StatusOr<v1::Token> Get(const Options& options) {
    const auto broker = Connection::Create(options);
    if (!broker.ok()) return broker.status();
    v1::GetTokenRequest request;
    request.set_name("portals/acme/admins/32/tokens/41");
    return (*broker)->Call(&Stub::GetToken, request);
  }

  FakeBroker broker_;
};

TEST_F(ConnectionTest, CallGivesTheReply) {
  broker_.tokens.get.answer = [](const v1::GetTokenRequest& request, v1::Token& token) {
    token.set_name(request.name());
    return grpc::Status::OK;
  };
  const auto token = Get(broker_.options());
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->name(), "portals/acme/admins/32/tokens/41");
}

TEST_F(ConnectionTest, RefusalKeepsEverythingThatTheBrokerSaid) {
  broker_.tokens.get.answer = [](const auto&, auto&) {
    return Refused(grpc::StatusCode::RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED", "The portal is busy.",
                   {{"portal", "acme"}}, 9);
  };
  const std::optional<Refusal> refusal = RefusalOf(Get(broker_.options()).status());
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refusal->reason, "BUDGET_EXHAUSTED");
  EXPECT_EQ(refusal->message, "The portal is busy.");
  EXPECT_EQ(refusal->metadata.at("portal"), "acme");
  EXPECT_EQ(refusal->retry_after, absl::Seconds(9));
  EXPECT_EQ(refusal->request_id, "r-7");
}

TEST_F(ConnectionTest, RefusalWithUnavailableIsNotTakenForAMissingBroker) {
  broker_.tokens.get.answer = [](const auto&, auto&) {
    return Refused(grpc::StatusCode::UNAVAILABLE, "DRAINING", "The broker stops.");
  };
  const auto token = Get(broker_.options());
  EXPECT_EQ(RefusalOf(token.status())->reason, "DRAINING");
}

TEST_F(ConnectionTest, ErrorInfoOfAnotherDomainIsNoRefusal) {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  info.set_domain("proxy.example");
  info.set_reason("NO_GRANT");
  status.add_details()->PackFrom(info);
  broker_.tokens.get.answer = [&](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no", status.SerializeAsString());
  };
  const auto token = Get(broker_.options());
  EXPECT_THAT(token, StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_FALSE(RefusalOf(token.status()).has_value());
}

TEST_F(ConnectionTest, DetailsThatDoNotParseAreLeftOut) {
  broker_.tokens.get.answer = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no", "\xff\xff\xff");
  };
  const auto token = Get(broker_.options());
  EXPECT_THAT(token, StatusIs(absl::StatusCode::kPermissionDenied, "no"));
  EXPECT_FALSE(RefusalOf(token.status()).has_value());
}

TEST_F(ConnectionTest, StoppedBrokerIsNotReached) {
  broker_.Stop();
  EXPECT_THAT(Get(broker_.options()), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("was not reached")));
}

TEST_F(ConnectionTest, BrokerOfAnotherAuthorityIsNotTrusted) {
  Options options = broker_.options();
  options.ca = broker_.directory() / "other.crt";
  WriteFile(options.ca, TestCa("Other CA").root());
  EXPECT_THAT(Get(options), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(broker_.tokens.get.calls, 0);
}

TEST_F(ConnectionTest, BrokerWhoseCertificateIsForAnotherHostIsNotTrusted) {
  const TestCertificate certificate = broker_.ca().IssueServer("elsewhere.test");
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({certificate.key, certificate.certificate});
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
  FakeBroker::TokensFake tokens;
  builder.RegisterService(&tokens);
  const auto server = builder.BuildAndStart();
  Options options = broker_.options();
  options.address = "127.0.0.1:" + std::to_string(port);
  EXPECT_THAT(Get(options), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(tokens.get.calls, 0);
}

TEST_F(ConnectionTest, CallerWithoutCertificateIsNotReachedByAMutualTlsBroker) {
  Options options = broker_.options();
  options.cert.clear();
  options.key.clear();
  EXPECT_THAT(Get(options), StatusIs(absl::StatusCode::kUnavailable));
}

// A port on which connections are taken and nothing is ever said.
class SilentPort {
 public:
  SilentPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, any, size) != 0 || listen(socket_, 8) != 0 || getsockname(socket_, any, &size) != 0) abort();
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { close(socket_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  int port_ = 0;
};

TEST_F(ConnectionTest, PeerThatNeverAnswersIsNotReached) {
  const SilentPort port;
  Options options = broker_.options();
  options.address = port.address();
  options.timeout = absl::Milliseconds(300);
  EXPECT_THAT(Get(options),
              StatusIs(absl::StatusCode::kUnavailable, AllOf(HasSubstr("was not reached"), HasSubstr("Deadline"))));
}

TEST_F(ConnectionTest, SlowBrokerIsADeadlineAndNotAMissingBroker) {
  std::promise<void> release;
  broker_.tokens.get.answer = [wait = release.get_future().share()](const auto&, auto&) {
    wait.wait();
    return grpc::Status::OK;
  };
  Options options = broker_.options();
  options.timeout = absl::Milliseconds(300);
  const auto broker = Connection::Create(options);
  ASSERT_THAT(broker, IsOk());
  ASSERT_TRUE((*broker)->channel()->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30)));
  EXPECT_THAT((*broker)->Call(&Stub::GetToken, v1::GetTokenRequest()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  release.set_value();
}

TEST_F(ConnectionTest, TokenIsReadForEachCall) {
  Options options = broker_.options();
  options.token_file = broker_.directory() / "token";
  WriteFile(options.token_file, "first\n");
  const auto broker = Connection::Create(options);
  ASSERT_THAT(broker, IsOk());
  ASSERT_THAT((*broker)->Call(&Stub::GetToken, v1::GetTokenRequest()), IsOk());
  EXPECT_EQ(broker_.tokens.authorization, "Bearer first");
  WriteFile(options.token_file, "second");
  ASSERT_THAT((*broker)->Call(&Stub::GetToken, v1::GetTokenRequest()), IsOk());
  EXPECT_EQ(broker_.tokens.authorization, "Bearer second");
}

TEST_F(ConnectionTest, WithoutTokenFileNoTokenIsSent) {
  ASSERT_THAT(Get(broker_.options()), IsOk());
  EXPECT_EQ(broker_.tokens.authorization, "");
}

struct BadOptions {
  std::string name;
  std::function<void(Options&, FakeBroker&)> spoil;
  std::string says;
};

void PrintTo(const BadOptions& bad, std::ostream* out) { *out << bad.name; }

class BadOptionsTest : public ::testing::TestWithParam<BadOptions> {};

TEST_P(BadOptionsTest, IsRefusedBeforeAnythingIsSent) {
  FakeBroker broker;
  Options options = broker.options();
  GetParam().spoil(options, broker);
  EXPECT_THAT(Connection::Create(options), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().says)));
  EXPECT_EQ(broker.tokens.get.calls, 0);
}

std::string Written(const FakeBroker& broker, const std::string& content) {
  std::string path = broker.directory() / "bad";
  WriteFile(path, content);
  return path;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadOptionsTest,
    ::testing::Values(
        BadOptions{"NoAddress", [](Options& o, FakeBroker&) { o.address.clear(); }, "address"},
        BadOptions{"NoCa", [](Options& o, FakeBroker&) { o.ca.clear(); }, "ca"},
        BadOptions{"MissingCa", [](Options& o, FakeBroker&) { o.ca = "/nonexistent"; }, "/nonexistent (ca)"},
        BadOptions{"EmptyCa", [](Options& o, FakeBroker& b) { o.ca = Written(b, ""); }, "(ca)"},
        BadOptions{"CaIsNoCertificate", [](Options& o, FakeBroker& b) { o.ca = Written(b, "hello"); }, "(ca)"},
        BadOptions{"CertWithoutKey", [](Options& o, FakeBroker&) { o.key.clear(); }, "private key"},
        BadOptions{"KeyWithoutCert", [](Options& o, FakeBroker&) { o.cert.clear(); }, "certificate"},
        BadOptions{"MissingCert", [](Options& o, FakeBroker&) { o.cert = "/nonexistent"; }, "/nonexistent (cert)"},
        BadOptions{"MissingKey", [](Options& o, FakeBroker&) { o.key = "/nonexistent"; }, "/nonexistent (key)"},
        BadOptions{"KeyOfAnother",
                   [](Options& o, FakeBroker& b) { o.key = Written(b, b.ca().IssueClient("spiffe://x/y").key); },
                   "(key)"},
        BadOptions{"MissingToken", [](Options& o, FakeBroker&) { o.token_file = "/nonexistent"; }, "(token file)"},
        BadOptions{"EmptyToken", [](Options& o, FakeBroker& b) { o.token_file = Written(b, "\n"); }, "(token file)"},
        BadOptions{"TokenOfTwoLines", [](Options& o, FakeBroker& b) { o.token_file = Written(b, "a\nb"); }, "(token"},
        BadOptions{"HugeToken", [](Options& o, FakeBroker& b) { o.token_file = Written(b, std::string(70000, 'a')); },
                   "(token"}),
    [](const auto& test) { return test.param.name; });

TEST(RefusalTest, SuccessAndPlainErrorsAreNone) {
  EXPECT_FALSE(RefusalOf(absl::OkStatus()).has_value());
  EXPECT_FALSE(RefusalOf(absl::InternalError("x")).has_value());
}

}  // namespace
}  // namespace lmbroker::client
