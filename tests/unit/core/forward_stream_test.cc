#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/core/forwarder.h"
#include "service/policy/parse.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPolicy = R"(
callers:
  - name: inventory
    identities: ["dns:inventory"]
    forward:
      - portal: acme
        credential: reader
        methods: [GET, POST]
        paths: ["/device/**"]
)";

// A caller that takes parts when the test says so.
class FakeSink final : public ReplySink {
 public:
  void Head(ForwardReply reply, Done done) override {
    head = std::move(reply);
    Take(std::move(done));
  }
  void Chunk(std::string bytes, Done done) override {
    EXPECT_TRUE(head.has_value());
    EXPECT_FALSE(bytes.empty());
    largest = std::max(largest, bytes.size());
    body += bytes;
    Take(std::move(done));
  }
  // The caller reads on (or, with false, has left).
  void Read(bool there = true) { std::exchange(waiting_, nullptr)(there); }
  bool waits() const { return waiting_ != nullptr; }

  bool reads = true;  // by itself
  std::optional<ForwardReply> head;
  std::string body;
  std::size_t largest = 0;

 private:
  void Take(Done done) {
    if (reads) return done(true);
    waiting_ = std::move(done);
  }
  Done waiting_;
};

class ForwardStreamTest : public CoreTest {
 protected:
  static constexpr std::string_view kReaderKey = "lma_Reader(Key)For{Tests}=987654321+^~";

  ForwardStreamTest() {
    Issues issues("policy.yaml");
    auto policy = policy::ParsePolicy(kPolicy, {Acme()}, issues);
    EXPECT_TRUE(issues.empty());
    policy_.Swap(std::make_shared<const policy::Engine>(std::move(policy)), clock_.Now());
    EXPECT_THAT(custody_->Import({.name = Credential("reader"),
                                  .type = TokenType::kLmv1,
                                  .access_id = "readerAccessId123456",
                                  .create_time = clock_.Now(),
                                  .secret = {}},
                                 Secret(kReaderKey)),
                IsOk());
  }

  void Begin(Call& call, const std::string& method = "GET") {
    auto request = http::CanonicalRequest::Make({.method = method, .path = "/device/devices"}, {});
    ASSERT_THAT(request, IsOk());
    Start(forwarder_.ForwardStream(call.context(),
                                   {.portal = Acme(),
                                    .credential = std::nullopt,
                                    .request = std::make_shared<const http::CanonicalRequest>(*std::move(request))},
                                   sink_),
          [this](absl::Status status) { end_ = std::move(status); });
    scheduler_.RunDue();
  }

  http::FakeHttpClient client_{clock_};
  Attempts attempts_{AttemptParts(client_, 1 << 20)};
  Forwarder forwarder_{ForwarderParts(attempts_, 1 << 20)};
  FakeSink sink_;
  std::optional<absl::Status> end_;
};

TEST_F(ForwardStreamTest, HeadComesFirstThenTheBody) {
  const auto call = As("inventory");
  Begin(*call);
  EXPECT_TRUE(client_.options().streaming);
  const auto body = client_.AnswerHead({.status = 200, .headers = {{"ETag", "1"}, {"Set-Cookie", "x"}}});
  ASSERT_TRUE(sink_.head.has_value());
  EXPECT_EQ(sink_.head->status, 200);
  EXPECT_EQ(sink_.head->body, "");
  EXPECT_EQ(sink_.head->headers.size(), 1U);
  body->Send(R"({"a":)");
  body->Send("1}");
  EXPECT_FALSE(end_.has_value());
  body->End();
  ASSERT_TRUE(end_.has_value());
  EXPECT_THAT(*end_, IsOk());
  EXPECT_EQ(sink_.body, R"({"a":1})");
}

// A caller that does not read: not a piece more is asked of the portal.
TEST_F(ForwardStreamTest, CallerThatDoesNotReadHoldsThePortalBack) {
  const auto call = As("inventory");
  sink_.reads = false;
  Begin(*call);
  const auto body = client_.AnswerHead({.status = 200});
  ASSERT_TRUE(sink_.waits());
  body->Send("{}");
  EXPECT_EQ(body->unread(), 1U);
  sink_.Read();
  EXPECT_EQ(body->unread(), 0U);
  sink_.reads = true;
  if (sink_.waits()) sink_.Read();
  body->End();
  EXPECT_THAT(*end_, IsOk());
}

TEST_F(ForwardStreamTest, CallerThatLeavesEndsTheTransfer) {
  const auto call = As("inventory");
  sink_.reads = false;
  Begin(*call);
  const auto body = client_.AnswerHead({.status = 200});
  sink_.Read(/*there=*/false);
  ASSERT_TRUE(end_.has_value());
  EXPECT_THAT(*end_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(body->abandoned());
}

TEST_F(ForwardStreamTest, CutReplyNeverEndsWell) {
  for (const Reason reason : {Reason::kPortalUnreachable, Reason::kPortalError, Reason::kDeadline}) {
    const auto call = As("inventory");
    Begin(*call, "POST");
    const auto body = client_.AnswerHead({.status = 201});
    body->Send("{");
    body->End(Refuse(reason, "Cut."));
    // The head told what became of the call: its outcome is not unknown.
    EXPECT_THAT(*end_, RefusedWith(reason));
    end_.reset();
  }
}

// Law 1, at every place where a reply can be cut in two.
TEST_F(ForwardStreamTest, KeyIsScrubbedWhereverAReplyIsCut) {
  const std::string reply = fmt::format(R"({{"message":"the key is {} here","accessKey":"other"}})", kReaderKey);
  for (std::size_t at = 0; at <= reply.size(); ++at) {
    const auto call = As("inventory");
    sink_.body.clear();
    Begin(*call);
    const auto body = client_.AnswerHead({.status = 200, .headers = {{"ETag", std::string(kReaderKey)}}});
    if (at > 0) body->Send(reply.substr(0, at));
    if (at < reply.size()) body->Send(reply.substr(at));
    body->End();
    ASSERT_THAT(*end_, IsOk());
    ASSERT_EQ(sink_.body, R"({"message":"the key is **** here","accessKey":"****"})") << at;
    ASSERT_EQ(sink_.head->headers.at(0).value, "****");
  }
}

TEST_F(ForwardStreamTest, MessagesStayBelowWhatClientsTake) {
  const auto call = As("inventory");
  Begin(*call);
  const auto body = client_.AnswerHead({.status = 200});
  for (int i = 0; i < 8; ++i) body->Send(std::string(120'000, 'x'));
  body->End();
  EXPECT_THAT(*end_, IsOk());
  EXPECT_EQ(sink_.body.size(), 960'000U);
  EXPECT_LE(sink_.largest, std::size_t{1} << 20);
}

TEST_F(ForwardStreamTest, DeniedStreamIsNeverSigned) {
  const auto call = As("stranger");
  Begin(*call);
  EXPECT_THAT(*end_, RefusedWith(Reason::kNoGrant));
  EXPECT_EQ(client_.sent(), 0U);
  EXPECT_FALSE(sink_.head.has_value());
}

TEST_F(ForwardStreamTest, LostMutationIsUnknownBeforeItsHead) {
  const auto call = As("inventory");
  Begin(*call, "POST");
  client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), http::Delivery::kMaybeSent);
  EXPECT_THAT(*end_, RefusedWith(Reason::kOutcomeUnknown));
}

}  // namespace
}  // namespace lmbroker::core
