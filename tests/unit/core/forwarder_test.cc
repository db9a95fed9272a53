#include "service/core/forwarder.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/policy/parse.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPolicy = R"(
callers:
  - name: inventory
    identities: ["dns:inventory"]
    forward:
      - portal: acme
        credential: reader
        methods: [GET, POST, DELETE]
        paths: ["/device/**"]
      - portal: acme
        credential: reader
        api: ingest
        methods: [POST]
        paths: ["/log/ingest"]
  - name: limited
    identities: ["dns:limited"]
    forward:
      - { portal: acme, credential: reader, methods: [GET], paths: ["/device/**"] }
    budget: { max_per_minute: 2 }
  - name: operators
    identities: ["dns:operators"]
    operator: true
)";

class ForwarderTest : public CoreTest {
 protected:
  static constexpr std::string_view kReaderKey = "lma_Reader(Key)For{Tests}=987654321+^~";

  ForwarderTest() {
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

  // Starts a call; its result appears in `result_`.
  void Begin(Call& call, http::RequestParts parts, bool idempotent = false) {
    auto request = http::CanonicalRequest::Make(std::move(parts), {});
    ASSERT_THAT(request, IsOk());
    ForwardCall forward{.portal = Acme(),
                        .credential = std::nullopt,
                        .request = std::make_shared<const http::CanonicalRequest>(*std::move(request)),
                        .idempotent = idempotent};
    Start(forwarder_.Forward(call.context(), std::move(forward)),
          [this](absl::StatusOr<ForwardReply> reply) { result_ = std::move(reply); });
    scheduler_.RunDue();
  }

  // A call may not die before its transfer.
  void AnswerAll() {
    while (client_.pending() > 0) client_.Answer({.status = 200, .body = "{}"});
  }

  static http::RequestParts Get() { return {.method = "GET", .path = "/device/devices"}; }
  static http::RequestParts Post() { return {.method = "POST", .path = "/device/devices", .body = "{}"}; }

  http::FakeHttpClient client_{clock_};
  Attempts attempts_{AttemptParts(client_, 1024)};
  Forwarder forwarder_{ForwarderParts(attempts_, 1024)};
  std::optional<absl::StatusOr<ForwardReply>> result_;
};

TEST_F(ForwarderTest, AnAllowedCallIsSignedAndAnswered) {
  const auto call = As("inventory");
  Begin(*call, Get());
  ASSERT_EQ(client_.pending(), 1U);
  EXPECT_THAT(std::string(client_.request().authorization().Reveal()),
              testing::StartsWith("LMv1 readerAccessId123456:"));
  client_.Answer({.status = 404,
                  .headers = {{"X-Rate-Limit-Limit", "500"},
                              {"X-Rate-Limit-Remaining", "499"},
                              {"X-Rate-Limit-Window", "60"},
                              {"Set-Cookie", "JSESSIONID=1"}},
                  .body = R"({"errorCode":1404})"});
  ASSERT_TRUE(result_.has_value());
  ASSERT_THAT(*result_, IsOk());
  const ForwardReply& reply = **result_;
  EXPECT_EQ(reply.status, 404);  // an error of the portal is an answer
  EXPECT_EQ(reply.attempts, 1);
  EXPECT_EQ(reply.credential, Credential("reader"));
  EXPECT_EQ(reply.budget->remaining, 499);
  for (const auto& header : reply.headers) EXPECT_NE(header.name, "Set-Cookie");
}

// Law 2, and with it the first half of law 3.
TEST_F(ForwarderTest, DeniedCallIsNeverSigned) {
  for (const char* caller : {"stranger", "operators", ""}) {
    const auto call = As(caller);
    Begin(*call, Get());
    ASSERT_TRUE(result_.has_value());
    EXPECT_THAT(*result_, RefusedWith(Reason::kNoGrant)) << caller;
    result_.reset();
  }
  EXPECT_EQ(client_.sent(), 0U);
}

// Law 3: what was authorised is what is signed is what is sent, the very same object.
TEST_F(ForwarderTest, WhatWasAuthorisedIsWhatIsSent) {
  const auto call = As("inventory");
  auto request = http::CanonicalRequest::Make(Post(), {});
  ASSERT_THAT(request, IsOk());
  const auto shared = std::make_shared<const http::CanonicalRequest>(*std::move(request));
  Start(forwarder_.Forward(call->context(), {.portal = Acme(), .credential = std::nullopt, .request = shared}),
        [](const absl::StatusOr<ForwardReply>&) {});
  scheduler_.RunDue();
  EXPECT_EQ(&client_.request().request(), shared.get());
  AnswerAll();
}

// Law 4: the intent of a mutation is on disk before anything leaves.
TEST_F(ForwarderTest, NothingIsSentBeforeTheIntentIsOnDisk) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kHolds);
  const auto call = As("inventory");
  Begin(*call, Post());
  EXPECT_EQ(client_.sent(), 0U);
  audit_log_.Release();
  scheduler_.RunDue();
  EXPECT_EQ(client_.sent(), 1U);
  AnswerAll();
}

TEST_F(ForwarderTest, NothingIsSentWhenTheAuditCannotBeWritten) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  for (const auto& parts : {Get(), Post()}) {
    const auto call = As("inventory");
    Begin(*call, parts);
    ASSERT_TRUE(result_.has_value());
    EXPECT_THAT(*result_, RefusedWith(Reason::kAuditUnavailable));
  }
  EXPECT_EQ(client_.sent(), 0U);
}

TEST_F(ForwarderTest, ReadsAndIngestDoNotWaitForTheDisk) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kHolds);
  const auto read = As("inventory");
  Begin(*read, Get());
  EXPECT_EQ(client_.sent(), 1U);
  const auto ingest = As("inventory");
  Begin(*ingest, {.api = http::Api::kIngest, .method = "POST", .path = "/log/ingest", .body = "[]"});
  EXPECT_EQ(client_.sent(), 2U);
  AnswerAll();
}

// Law 6: a mutation is sent at most once unless the portal cannot have seen it, or a repeat does no harm.
TEST_F(ForwarderTest, ALostMutationIsNotRepeated) {
  const auto call = As("inventory");
  Begin(*call, Post());
  client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), http::Delivery::kMaybeSent);
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_EQ(client_.sent(), 1U);
}

TEST_F(ForwarderTest, AMutationThatWasNotSentIsClearlyNotDone) {
  const auto call = As("inventory");
  Begin(*call, Post());
  while (client_.pending() > 0) {
    client_.Fail(Refuse(Reason::kPortalUnreachable, "Refused."), http::Delivery::kNotSent);
    scheduler_.Advance(absl::Seconds(1));
  }
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, RefusedWith(Reason::kPortalUnreachable));
}

TEST_F(ForwarderTest, WhatMayBeRepeatedIsRepeatedOnce) {
  for (const bool get : {true, false}) {
    const auto call = As("inventory");
    Begin(*call, get ? Get() : Post(), /*idempotent=*/!get);
    client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), http::Delivery::kMaybeSent);
    ASSERT_EQ(client_.pending(), 1U);
    client_.Answer({.status = 200, .body = "{}"});
    ASSERT_TRUE(result_.has_value());
    ASSERT_THAT(*result_, IsOk());
    EXPECT_EQ((*result_)->attempts, 2);
    result_.reset();
  }
}

TEST_F(ForwarderTest, ARepeatHasASignatureOfItsOwn) {
  const auto call = As("inventory");
  Begin(*call, Get());
  const std::string first(client_.request().authorization().Reveal());
  clock_.Advance(absl::Milliseconds(5));
  client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), http::Delivery::kMaybeSent);
  EXPECT_NE(std::string(client_.request().authorization().Reveal()), first);
  AnswerAll();
}

// What there is no room for costs neither a request nor a write to the disk.
TEST_F(ForwarderTest, WhatThePortalsRateLimitLeavesNoRoomForIsRefusedBeforeItsIntent) {
  const auto first = As("inventory");
  Begin(*first, Post());
  client_.Answer({.status = 429, .headers = {{"Retry-After", "60"}}, .body = "{}"});
  const std::size_t intents = audit_log_.records().size();
  const auto call = As("inventory");
  Begin(*call, Post());
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_EQ(client_.sent(), 1U);
  EXPECT_EQ(audit_log_.records().size(), intents);
}

TEST_F(ForwarderTest, EachAttemptTakesItsPartOfTheRateLimit) {
  const auto call = As("inventory");
  Begin(*call, Get());
  client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), http::Delivery::kMaybeSent);
  AnswerAll();
  ASSERT_EQ(budgets_.Of(Acme()).size(), 1U);
  EXPECT_EQ(budgets_.Of(Acme())[0].budget.remaining, 498);
}

TEST_F(ForwarderTest, WhatWasNotSentIsNotSpent) {
  const auto call = As("inventory");
  Begin(*call, Post());
  client_.Fail(Refuse(Reason::kPortalUnreachable, "Refused."), http::Delivery::kNotSent);
  EXPECT_EQ(budgets_.Of(Acme())[0].budget.remaining, 200);
  call->Cancel();  // before a repeat
  scheduler_.RunDue();
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  const auto unaudited = As("inventory");
  Begin(*unaudited, Post());
  EXPECT_EQ(budgets_.Of(Acme())[0].budget.remaining, 200);
}

TEST_F(ForwarderTest, CallerHasALimitOfItsOwn) {
  for (int i = 0; i < 3; ++i) {
    const auto call = As("limited");
    Begin(*call, Get());
    AnswerAll();
    ASSERT_TRUE(result_.has_value());
    EXPECT_EQ(result_->ok(), i < 2) << i;
  }
  EXPECT_THAT(*result_, RefusedWith(Reason::kCallerLimit));
}

TEST_F(ForwarderTest, ADeadlineAfterAMutationLeftIsAnUnknownOutcome) {
  const auto call = As("inventory");
  Begin(*call, Post());
  clock_.Advance(absl::Seconds(31));
  client_.ExpireDue();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_EQ(MetadataOf(result_->status())["cause"], "DEADLINE");
}

TEST_F(ForwarderTest, ACallerThatGivesUpEndsTheTransfer) {
  const auto call = As("inventory");
  Begin(*call, Get());
  call->Cancel();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(client_.pending(), 0U);
}

TEST_F(ForwarderTest, ADisabledCredentialSignsNothing) {
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kDisabled), IsOk());
  const auto call = As("inventory");
  Begin(*call, Get());
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, RefusedWith(Reason::kCredentialDisabled));
  EXPECT_EQ(client_.sent(), 0U);
}

// Law 1.
TEST_F(ForwarderTest, AKeyThatThePortalEchoesDoesNotReachTheCaller) {
  const auto call = As("inventory");
  Begin(*call, Get());
  const std::string authorization(client_.request().authorization().Reveal());
  client_.Answer({.status = 200,
                  .headers = {{"ETag", std::string(kReaderKey)}},
                  .body = "{\"echo\":\"" + authorization + "\",\"k\":\"" + std::string(kReaderKey) + "\"}"});
  ASSERT_TRUE(result_.has_value());
  ASSERT_THAT(*result_, IsOk());
  EXPECT_THAT((*result_)->body, Not(HasSubstr("Reader(Key)")));
  EXPECT_THAT((*result_)->body, Not(HasSubstr(authorization)));
  for (const auto& header : (*result_)->headers) EXPECT_THAT(header.value, Not(HasSubstr("Reader(Key)")));
  EXPECT_THAT(audit_log_.Text(), Not(HasSubstr("Reader(Key)")));
}

TEST_F(ForwarderTest, AReplyThatCannotBeSearchedIsNotHandedOn) {
  const auto read = As("inventory");
  Begin(*read, Get());
  client_.Answer({.status = 200, .headers = {{"Content-Encoding", "br"}}, .body = "?"});
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, RefusedWith(Reason::kPortalError));
  const auto write = As("inventory");
  Begin(*write, Post());
  client_.Answer({.status = 200, .headers = {{"Content-Encoding", "br"}}, .body = "?"});
  EXPECT_THAT(*result_, RefusedWith(Reason::kOutcomeUnknown));  // it may well have happened
}

TEST_F(ForwarderTest, TheAuditSaysWhatWasAskedAndNotWhatItHeld) {
  {
    const auto call = As("inventory");
    Begin(*call, {.method = "POST",
                  .path = "/device/devices",
                  .query = {{"filter", "private-query"}},
                  .body = R"({"n":"private-body"})"});
    client_.Answer({.status = 200, .body = "{}"});
  }
  const auto records = audit_log_.records();
  ASSERT_EQ(records.size(), 2U);
  for (const audit::Record& record : records) {
    EXPECT_EQ(record.portal, "portals/acme");
    EXPECT_EQ(record.rule, "inventory.forward[0]");
    EXPECT_EQ(record.credential, "portals/acme/credentials/reader");
    EXPECT_EQ(record.access_id, "readerAccessId123456");
    EXPECT_EQ(record.http_method, "POST");
    EXPECT_EQ(record.path, "/device/devices");
    EXPECT_EQ(record.query_digest.size(), 64U);
    EXPECT_EQ(record.body_digest.size(), 64U);
  }
  EXPECT_EQ(records[1].http_status, 200);
  EXPECT_THAT(audit_log_.durabilities(), ElementsAre(audit::Durability::kOnDisk, audit::Durability::kFlushedSoon));
  EXPECT_THAT(audit_log_.Text(), Not(HasSubstr("private")));
}

}  // namespace
}  // namespace lmbroker::core
