#include "service/base/https_service.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tls_server.h"

namespace lmbroker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr HttpsService::Kind kKind = {.name = "the service",
                                      .token_header = "Authorization: Bearer ",
                                      .header = "X-Kind: service",
                                      .private_token = false,
                                      .most_reply_bytes = std::size_t{256} << 10};

class HttpsServiceTest : public ::testing::Test {
 protected:
  HttpsServiceTest() {
    WriteFile(folder_ / "ca.crt", ca_.root());
    WriteFile(folder_ / "token", "the-brokers-token\n");
  }
  HttpsService::Options At(const TlsServer& server) const {
    return {.address = fmt::format("https://localhost:{}", server.port()),
            .ca = folder_ / "ca.crt",
            .token_file = folder_ / "token",
            .timeout = absl::Seconds(20)};
  }
  // Answers all, and keeps what came.
  TlsServer::Script Record(std::string reply) {
    return [this, reply](TlsServer::Session& session) {
      while (true) {
        const std::string request = session.ReadRequest();
        if (request.empty()) return;
        requests_.push_back(request);
        session.Write(reply);
      }
    };
  }

  TempDir folder_;
  const TestCa ca_;
  const TestCertificate certificate_ = ca_.IssueServer("localhost");
  std::vector<std::string> requests_;  // read when the exchange is over
};

TEST_F(HttpsServiceTest, AsksWithItsTokenAndGivesTheAnswer) {
  TlsServer server(certificate_, Record(OkReply("{\"a\":1}")));
  HttpsService api(At(server), kKind);
  const auto reply = api.Get("/openid/v1/jwks");
  ASSERT_THAT(reply, IsOk());
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body.Reveal(), "{\"a\":1}");
  EXPECT_THAT(requests_.at(0), AllOf(HasSubstr("GET /openid/v1/jwks HTTP/1.1\r\n"),
                                     HasSubstr("\r\nAuthorization: Bearer the-brokers-token\r\n"),
                                     HasSubstr("\r\nX-Kind: service\r\n")));
}

TEST_F(HttpsServiceTest, ALongReplyIsWhole) {
  const std::string text(200'000, 'x');
  TlsServer server(certificate_, Record(OkReply(text)));
  HttpsService api(At(server), kKind);
  const auto reply = api.Get("/");
  ASSERT_THAT(reply, IsOk());
  EXPECT_EQ(reply->body.Reveal(), text);
}

TEST_F(HttpsServiceTest, ATokenThatOthersMayReadIsRefusedWhereItMustBePrivate) {
  TlsServer server(certificate_, Record(OkReply("{}")));
  HttpsService::Kind kind = kKind;
  kind.private_token = true;
  HttpsService api(At(server), kind);
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms(0640));
  EXPECT_THAT(api.Get("/"), StatusIs(absl::StatusCode::kFailedPrecondition));
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms(0600));
  EXPECT_THAT(api.Get("/"), IsOk());
}

TEST_F(HttpsServiceTest, PostsJsonAndKeepsItsConnection) {
  TlsServer server(certificate_, Record(OkReply("{}")));
  HttpsService api(At(server), kKind);
  for (int i = 0; i < 3; ++i) ASSERT_THAT(api.Post("/review", Secret("{\"spec\":{}}")), IsOk());
  ASSERT_THAT(api.Get("/keys"), IsOk());
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_THAT(requests_.at(2),
              AllOf(HasSubstr("POST /review HTTP/1.1\r\n"), HasSubstr("\r\nContent-Type: application/json\r\n"),
                    HasSubstr("\r\n\r\n{\"spec\":{}}")));
  EXPECT_THAT(requests_.at(3), AllOf(HasSubstr("GET /keys HTTP/1.1\r\n"), Not(HasSubstr("Content-Type"))));
}

TEST_F(HttpsServiceTest, ItsTokenIsReadForEachRequest) {
  TlsServer server(certificate_, Record(OkReply("{}")));
  HttpsService api(At(server), kKind);
  ASSERT_THAT(api.Get("/"), IsOk());
  WriteFile(folder_ / "token", "another");
  ASSERT_THAT(api.Get("/"), IsOk());
  EXPECT_THAT(requests_.at(1), HasSubstr("\r\nAuthorization: Bearer another\r\n"));
  for (const char* bad : {"", "\n", "two\nlines", "a\x01"}) {
    WriteFile(folder_ / "token", bad);
    EXPECT_THAT(api.Get("/"), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  std::filesystem::remove(folder_ / "token");
  EXPECT_FALSE(api.Get("/").ok());
}

TEST_F(HttpsServiceTest, NoTokenGoesToWhomItsAuthoritiesDoNotVouchFor) {
  TlsServer other(TestCa("Test CA").IssueServer("localhost"), Record(OkReply("{}")));
  TlsServer misnamed(ca_.IssueServer("elsewhere"), Record(OkReply("{}")));
  for (const TlsServer* const server : {&other, &misnamed}) {
    HttpsService api(At(*server), kKind);
    EXPECT_THAT(api.Get("/"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("did not answer")));
  }
  EXPECT_TRUE(requests_.empty());
}

TEST_F(HttpsServiceTest, OtherAuthoritiesCountFromTheNextRequestOn) {
  TlsServer server(certificate_, Record(OkReply("{}")));
  HttpsService api(At(server), kKind);
  ASSERT_THAT(api.Get("/"), IsOk());
  WriteFile(folder_ / "ca.crt", TestCa("Other").root());
  EXPECT_THAT(api.Get("/"), StatusIs(absl::StatusCode::kUnavailable));
  WriteFile(folder_ / "ca.crt", ca_.root());
  EXPECT_THAT(api.Get("/"), IsOk());
}

TEST_F(HttpsServiceTest, RedirectsAndProxiesAreNotFollowed) {
  TlsServer elsewhere(certificate_, Record(OkReply("{}")));
  TlsServer server(certificate_, AnswerAll(fmt::format("HTTP/1.1 302 Found\r\nLocation: https://localhost:{}/\r\n"
                                                       "Content-Length: 0\r\n\r\n",
                                                       elsewhere.port())));
  setenv("https_proxy", fmt::format("https://localhost:{}", elsewhere.port()).c_str(), 1);
  HttpsService api(At(server), kKind);
  const auto reply = api.Get("/");
  unsetenv("https_proxy");
  ASSERT_THAT(reply, IsOk());
  EXPECT_EQ(reply->status, 302);
  EXPECT_EQ(elsewhere.accepted(), 0);
}

TEST_F(HttpsServiceTest, ARepliesLengthAndTimeAreBounded) {
  TlsServer large(certificate_, AnswerAll(OkReply(std::string(300'000, ' '))));
  HttpsService api(At(large), kKind);
  EXPECT_THAT(api.Get("/"), StatusIs(absl::StatusCode::kUnavailable));
  TlsServer silent(certificate_, [](TlsServer::Session& session) {
    session.ReadRequest();
    session.AwaitClose();
  });
  HttpsService::Options options = At(silent);
  options.timeout = absl::Milliseconds(100);
  HttpsService slow(options, kKind);
  EXPECT_THAT(slow.Get("/"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("did not answer")));
}

}  // namespace
}  // namespace lmbroker
