#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/core/forwarder.h"
#include "service/policy/parse.h"
#include "service/portal/token_requests.h"
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
      - { portal: acme, credential: reader, methods: [GET, POST], paths: ["/device/**", "/setting/**"], share: 10s }
  - name: reporting
    identities: ["dns:reporting"]
    forward:
      - { portal: acme, credential: reader, methods: [GET], paths: ["/device/**"], share: 10s }
      - { portal: acme, credential: other, methods: [GET], paths: ["/device/**"], share: 10s }
  - name: limited
    identities: ["dns:limited"]
    forward:
      - { portal: acme, credential: reader, methods: [GET], paths: ["/device/**"], share: 10s }
    budget: { max_per_minute: 2 }
  - name: alone
    identities: ["dns:alone"]
    forward:
      - { portal: acme, credential: reader, methods: [GET], paths: ["/device/**"] }
  - name: operators
    identities: ["dns:operators"]
    operator: true
)";

class NoSink final : public ReplySink {
 public:
  void Head(ForwardReply, Done done) override { done(true); }
  void Chunk(std::string, Done done) override { done(true); }
};

class ForwardSharedTest : public CoreTest {
 protected:
  static constexpr std::string_view kReaderKey = "lma_Reader(Key)For{Tests}=987654321+^~";

  // Somebody's call, and what came of it.
  struct Reader {
    std::unique_ptr<Call> call;
    std::optional<absl::StatusOr<ForwardReply>> result;

    bool has_ended() const { return result.has_value(); }
    const ForwardReply& reply() const { return **result; }
  };
  struct Asked {
    std::string path = "/device/devices";
    std::string method = "GET";
    std::string credential = "reader";
    bool fresh = false;
    absl::Duration time = absl::Seconds(30);
  };

  ForwardSharedTest() {
    Swap(kPolicy);
    Import("reader");
    Import("other");
  }

  void Swap(std::string_view text) {
    Issues issues("policy.yaml");
    auto policy = policy::ParsePolicy(text, {Acme()}, issues);
    EXPECT_TRUE(issues.empty());
    policy_.Swap(std::make_shared<const policy::Engine>(std::move(policy)), clock_.Now());
  }

  void Import(std::string_view id) {
    EXPECT_THAT(custody_->Import({.name = Credential(id),
                                  .type = TokenType::kLmv1,
                                  .access_id = "readerAccessId123456",
                                  .create_time = clock_.Now(),
                                  .secret = {}},
                                 Secret(kReaderKey)),
                IsOk());
  }

  Reader& Come(std::string_view who, const Asked& asked) {
    Reader& reader = readers_.emplace_back();
    reader.call = As(who);
    reader.call->context().request_id = "request-" + std::to_string(readers_.size());
    reader.call->context().deadline = clock_.Monotonic() + asked.time;
    auto request = http::CanonicalRequest::Make({.method = asked.method, .path = asked.path}, {});
    EXPECT_THAT(request, IsOk());
    ForwardCall forward{.portal = Acme(),
                        .credential = Credential(asked.credential),
                        .request = std::make_shared<const http::CanonicalRequest>(*std::move(request)),
                        .fresh = asked.fresh};
    Start(forwarder_.Forward(reader.call->context(), std::move(forward)),
          [&reader](absl::StatusOr<ForwardReply> reply) { reader.result = std::move(reply); });
    scheduler_.RunDue();
    return reader;
  }
  Reader& Come(std::string_view who = "inventory") { return Come(who, {}); }

  void Answer(http::Response response = {.status = 200, .body = "{}"}, std::size_t index = 0) {
    client_.Answer(std::move(response), index);
    scheduler_.RunDue();
  }

  // Whether `reader` was answered without a request of its own; answers the request else.
  bool WasServed(const Reader& reader) {
    if (reader.has_ended()) return reader.result->ok() && reader.reply().age.has_value();
    Answer();
    return false;
  }

  http::FakeHttpClient client_{clock_};
  Attempts attempts_{AttemptParts(client_, 4096)};
  Forwarder forwarder_{ForwarderParts(attempts_, 4096)};
  std::deque<Reader> readers_;
};

TEST_F(ForwardSharedTest, IdenticalReadsInFlightAreOneCallOfThePortal) {
  const Reader& first = Come();
  for (int i = 0; i < 99; ++i) Come();
  EXPECT_EQ(client_.pending(), 1U);
  Answer({.status = 200, .headers = {{"X-Request-Id", "request-1"}, {"ETag", "\"1\""}}, .body = R"({"total":3})"});
  EXPECT_EQ(client_.sent(), 1U);
  EXPECT_FALSE(first.reply().age.has_value());
  EXPECT_EQ(first.reply().headers.size(), 2U);
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    ASSERT_TRUE(readers_[i].has_ended()) << i;
    ASSERT_THAT(*readers_[i].result, IsOk());
    const ForwardReply& reply = readers_[i].reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, R"({"total":3})");
    EXPECT_EQ(reply.attempts, 1);
    EXPECT_EQ(reply.request_id, "request-" + std::to_string(i + 1));
    if (i == 0) continue;
    EXPECT_EQ(reply.age, absl::ZeroDuration());
    ASSERT_EQ(reply.headers.size(), 1U);  // the other one names the first reader's call
    EXPECT_EQ(reply.headers[0].name, "ETag");
  }
  EXPECT_EQ(budgets_.Of(Acme())[0].budget.remaining, 499);
}

TEST_F(ForwardSharedTest, AKeptReplySaysItsAge) {
  Come();
  Answer({.status = 200, .body = "kept"});
  clock_.Advance(absl::Seconds(3));
  const Reader& second = Come();
  ASSERT_TRUE(second.has_ended());
  ASSERT_THAT(*second.result, IsOk());
  EXPECT_EQ(second.reply().age, absl::Seconds(3));
  EXPECT_EQ(second.reply().body, "kept");
  EXPECT_EQ(second.reply().attempts, 0);  // nothing was sent for it
  clock_.Advance(absl::Seconds(7));
  EXPECT_FALSE(WasServed(Come()));
  EXPECT_EQ(client_.sent(), 2U);
}

TEST_F(ForwardSharedTest, EveryReaderHasItsOwnRecords) {
  Come();
  Come();
  Answer();
  Come();
  readers_.clear();  // their outcomes
  const auto records = audit_log_.records();
  ASSERT_EQ(records.size(), 6U);
  std::vector<std::optional<int>> attempts;
  int intents = 0;
  for (const audit::Record& record : records) {
    EXPECT_EQ(record.rule, "inventory.forward[0]");
    EXPECT_EQ(record.path, "/device/devices");
    intents += record.kind == audit::Kind::kIntent ? 1 : 0;
    if (record.kind != audit::Kind::kOutcome) continue;
    EXPECT_EQ(record.http_status, 200);
    attempts.push_back(record.attempts);
  }
  EXPECT_EQ(intents, 3);
  EXPECT_THAT(attempts, testing::ElementsAre(1, 1, 0));
  // Both intents were there before the answer, and no reader waited for the disk.
  EXPECT_EQ(records[0].kind, audit::Kind::kIntent);
  EXPECT_EQ(records[1].kind, audit::Kind::kIntent);
  for (const auto durability : audit_log_.durabilities()) EXPECT_EQ(durability, audit::Durability::kFlushedSoon);
}

// Law 4: also when nothing is to be sent.
TEST_F(ForwardSharedTest, NothingIsServedUnaudited) {
  Come();
  Answer();
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  const Reader& second = Come();
  ASSERT_TRUE(second.has_ended());
  EXPECT_THAT(*second.result, RefusedWith(Reason::kAuditUnavailable));
}

// Law 2.
TEST_F(ForwardSharedTest, WhoMayNotReadIsServedNothingThatIsKept) {
  Come();
  Answer();
  for (const char* who : {"stranger", "operators", ""}) {
    const Reader& reader = Come(who);
    ASSERT_TRUE(reader.has_ended());
    EXPECT_THAT(*reader.result, RefusedWith(Reason::kNoGrant)) << who;
  }
}

TEST_F(ForwardSharedTest, NothingIsSharedAcrossRulesOrCredentials) {
  Come();
  EXPECT_EQ(client_.pending(), 1U);
  Come("reporting");
  Come("reporting", {.credential = "other"});
  Come("limited");
  EXPECT_EQ(client_.pending(), 4U);
  Come("reporting", {.credential = "other"});
  EXPECT_EQ(client_.pending(), 4U);
  while (client_.pending() > 0) Answer({.status = 200, .body = std::to_string(client_.pending())});
  EXPECT_EQ(readers_[0].reply().body, "4");
  EXPECT_EQ(readers_[1].reply().body, "3");
  EXPECT_EQ(readers_[2].reply().body, "2");
  EXPECT_EQ(readers_[4].reply().body, "2");
  EXPECT_EQ(Come("reporting").reply().body, "3");
}

TEST_F(ForwardSharedTest, WithoutShareNothingIsShared) {
  Come("alone");
  Come("alone");
  EXPECT_EQ(client_.pending(), 2U);
  Answer();
  Answer();
  EXPECT_FALSE(readers_[1].reply().age.has_value());
  EXPECT_FALSE(WasServed(Come("alone")));
}

TEST_F(ForwardSharedTest, WritesAreNeverShared) {
  Come("inventory", {.method = "POST"});
  Come("inventory", {.method = "POST"});
  EXPECT_EQ(client_.pending(), 2U);
  Answer();
  Answer();
  EXPECT_FALSE(WasServed(Come("inventory", {.method = "POST"})));
}

TEST_F(ForwardSharedTest, AnotherPolicyServesNothingOfTheFormerOne) {
  Come();
  Answer();
  Swap(std::string(kPolicy) + "# a comment\n");
  EXPECT_FALSE(WasServed(Come()));
}

TEST_F(ForwardSharedTest, AnotherSecretServesNothingOfTheFormerOne) {
  Come();
  Answer();
  ASSERT_THAT(custody_->Remove(Credential("reader")), IsOk());
  clock_.Advance(absl::Seconds(1));
  Import("reader");
  EXPECT_FALSE(WasServed(Come()));
}

TEST_F(ForwardSharedTest, ADisabledCredentialServesNothing) {
  Come();
  Answer();
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kDisabled), IsOk());
  const Reader& second = Come();
  ASSERT_TRUE(second.has_ended());
  EXPECT_THAT(*second.result, RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(ForwardSharedTest, ServedCallsCountForTheirCallersLimit) {
  Come("limited");
  Answer();
  EXPECT_TRUE(WasServed(Come("limited")));
  const Reader& third = Come("limited");
  ASSERT_TRUE(third.has_ended());
  EXPECT_THAT(*third.result, RefusedWith(Reason::kCallerLimit));
}

TEST_F(ForwardSharedTest, OnlyPlainSuccessIsKept) {
  const std::vector<http::Response> answers = {{.status = 404, .body = "{}"},
                                               {.status = 403, .body = "{}"},
                                               {.status = 500, .body = "{}"},
                                               {.status = 304},
                                               {.status = 202, .body = "{}"},
                                               {.status = 200, .body = R"({"errorCode":1401,"errorMessage":"no"})"},
                                               {.status = 200, .body = R"({"errorCode":1202})"}};
  int number = 0;
  for (const http::Response& answer : answers) {
    const Asked asked{.path = "/device/" + std::to_string(++number) + "x"};
    Come("inventory", asked);
    const Reader& second = Come("inventory", asked);
    Answer(answer);
    ASSERT_TRUE(second.has_ended());
    EXPECT_EQ(second.reply().status, answer.status);  // shared while it was in flight
    EXPECT_FALSE(WasServed(Come("inventory", asked))) << answer.status << answer.body;
  }
}

TEST_F(ForwardSharedTest, AnErrorGoesToAllReaders) {
  Come();
  Come();
  client_.Fail(Refuse(Reason::kReplyTooLarge, "Too large."), http::Delivery::kMaybeSent);
  scheduler_.RunDue();
  for (const Reader& reader : readers_) {
    ASSERT_TRUE(reader.has_ended());
    EXPECT_THAT(*reader.result, RefusedWith(Reason::kReplyTooLarge));
  }
  EXPECT_EQ(client_.sent(), 1U);
}

TEST_F(ForwardSharedTest, ACancelledFirstReaderDoesNotFailTheOthers) {
  const Reader& first = Come();
  const Reader& second = Come();
  first.call->Cancel();
  scheduler_.RunDue();
  ASSERT_TRUE(first.has_ended());
  EXPECT_THAT(*first.result, StatusIs(absl::StatusCode::kCancelled));
  readers_.pop_front();  // nothing of it is needed any more
  EXPECT_EQ(client_.pending(), 1U);
  Answer();
  EXPECT_THAT(*second.result, IsOk());
  EXPECT_EQ(client_.sent(), 1U);
}

TEST_F(ForwardSharedTest, WhenAllHaveLeftTheTransferEnds) {
  const Reader& first = Come();
  const Reader& second = Come();
  first.call->Cancel();
  second.call->Cancel();
  scheduler_.RunDue();
  EXPECT_EQ(client_.pending(), 0U);
  EXPECT_THAT(*second.result, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_FALSE(WasServed(Come()));
}

TEST_F(ForwardSharedTest, TheDeadlineOfTheFirstReaderIsItsOwn) {
  const Reader& first = Come("inventory", {.time = absl::Seconds(1)});
  const Reader& second = Come();
  scheduler_.Advance(absl::Seconds(2));
  client_.ExpireDue();
  ASSERT_TRUE(first.has_ended());
  EXPECT_THAT(*first.result, RefusedWith(Reason::kDeadline));
  EXPECT_FALSE(second.has_ended());
  Answer();
  EXPECT_THAT(*second.result, IsOk());
  EXPECT_EQ(client_.sent(), 1U);
}

TEST_F(ForwardSharedTest, WhoHasTimeLeftGoesOnWhenTheTimeOfTheCallIsUp) {
  const Reader& first = Come();
  scheduler_.Advance(absl::Seconds(20));
  const Reader& second = Come();
  const Reader& third = Come();
  scheduler_.Advance(absl::Seconds(10));
  client_.ExpireDue();
  scheduler_.RunDue();
  ASSERT_TRUE(first.has_ended());
  EXPECT_THAT(*first.result, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(client_.pending(), 1U);  // a new call, for both
  Answer();
  EXPECT_THAT(*second.result, IsOk());
  EXPECT_THAT(*third.result, IsOk());
  EXPECT_EQ(client_.sent(), 2U);
}

TEST_F(ForwardSharedTest, AWaitForTheRateLimitIsShared) {
  Come("alone", {.path = "/device/devices", .time = absl::Seconds(9)});  // no time to wait for it
  Answer({.status = 429, .headers = {{"Retry-After", "10"}}, .body = "{}"});
  const Reader& hasty = Come("inventory", {.time = absl::Seconds(5)});
  ASSERT_TRUE(hasty.has_ended());  // at once, and nobody else's refusal
  EXPECT_THAT(*hasty.result, RefusedWith(Reason::kDeadlineTooShort));
  const Reader& first = Come();
  const Reader& second = Come();
  first.call->Cancel();
  scheduler_.RunDue();
  ASSERT_TRUE(first.has_ended());
  EXPECT_EQ(client_.pending(), 0U);
  scheduler_.Advance(absl::Seconds(15));
  EXPECT_EQ(client_.pending(), 1U);
  Answer();
  EXPECT_THAT(*second.result, IsOk());
  EXPECT_EQ(client_.sent(), 2U);
}

TEST_F(ForwardSharedTest, AFreshReadAsksThePortalAndReplacesWhatIsKept) {
  Come();
  Answer({.status = 200, .body = "old"});
  const Reader& fresh = Come("inventory", {.fresh = true});
  EXPECT_FALSE(fresh.has_ended());
  Answer({.status = 200, .body = "new"});
  EXPECT_EQ(fresh.reply().body, "new");
  EXPECT_FALSE(fresh.reply().age.has_value());
  EXPECT_EQ(Come().reply().body, "new");
}

TEST_F(ForwardSharedTest, OurOwnWritesDropWhatIsKept) {
  Come();
  Answer();
  Come("inventory", {.path = "/device/groups"});
  Answer();
  Come("inventory", {.path = "/device/devices/7", .method = "POST"});
  const Reader& after = Come();
  EXPECT_FALSE(after.has_ended());
  while (client_.pending() > 0) Answer();
  EXPECT_TRUE(WasServed(Come("inventory", {.path = "/device/groups"})));
}

// The write is over before its caller learns of it: who writes, then reads, sees what it wrote.
TEST_F(ForwardSharedTest, WhoWritesAndThenReadsSeesTheWrite) {
  const Reader& write = Come("inventory", {.method = "POST"});
  Come();  // is asked while the write is under way
  Answer({.status = 200, .body = "before the write"}, 1);
  EXPECT_EQ(Come().reply().body, "before the write");
  Answer({.status = 200, .body = "written"}, 0);
  ASSERT_TRUE(write.has_ended());
  EXPECT_FALSE(WasServed(Come()));
}

// Perhaps it was carried out.
TEST_F(ForwardSharedTest, ALostWriteDropsWhatIsKept) {
  Come();
  Answer();
  Come("inventory", {.method = "POST"});
  client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), http::Delivery::kMaybeSent);
  scheduler_.RunDue();
  EXPECT_FALSE(WasServed(Come()));
}

TEST_F(ForwardSharedTest, AStreamedWriteDropsWhatIsKeptBeforeItsHeadIsHandedOn) {
  Come();
  Answer();
  const auto call = As("inventory");
  auto request = http::CanonicalRequest::Make({.method = "POST", .path = "/device/devices"}, {});
  ASSERT_THAT(request, IsOk());
  NoSink sink;
  bool has_ended = false;
  Start(forwarder_.ForwardStream(call->context(),
                                 {.portal = Acme(),
                                  .credential = Credential("reader"),
                                  .request = std::make_shared<const http::CanonicalRequest>(*std::move(request))},
                                 sink),
        [&](const absl::Status&) { has_ended = true; });
  scheduler_.RunDue();
  ASSERT_EQ(client_.pending(), 1U);
  Come();
  Answer({.status = 200, .body = "during the write"}, 1);
  const auto body = client_.AnswerHead({.status = 200});
  scheduler_.RunDue();
  EXPECT_FALSE(has_ended);
  EXPECT_FALSE(WasServed(Come()));
  body->End();
  scheduler_.RunDue();
  EXPECT_TRUE(has_ended);
}

TEST_F(ForwardSharedTest, TheBrokersOwnWritesDropWhatIsKept) {
  Come("inventory", {.path = "/setting/admins/32"});
  Answer();
  const auto call = As("operators");
  const auto grant = policy_.Get()->AuthorizeOperator(call->context().caller, Acme());
  ASSERT_THAT(grant, IsOk());
  const auto request = portal::PatchNote(32, 41, "n");
  auto session = PortalSession::Begin(PortalParts(), call->context(), *grant, *request);
  ASSERT_THAT(session, IsOk());
  (void)session->Exchange(*portal::ListTokens({}), portal::Effect::kRepeatable);
  EXPECT_TRUE(WasServed(Come("inventory", {.path = "/setting/admins/32"})));
  (void)session->Exchange(*request, portal::Effect::kRepeatable);
  EXPECT_FALSE(WasServed(Come("inventory", {.path = "/setting/admins/32"})));
}

// Law 1.
TEST_F(ForwardSharedTest, WhatIsKeptIsScrubbed) {
  Come();
  Answer({.status = 200, .body = "{\"k\":\"" + std::string(kReaderKey) + "\"}"});
  const Reader& second = Come();
  ASSERT_TRUE(second.has_ended());
  EXPECT_THAT(second.reply().body, Not(HasSubstr("Reader(Key)")));
}

}  // namespace
}  // namespace lmbroker::core
