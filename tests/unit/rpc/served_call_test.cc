#include "service/rpc/served_call.h"

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/rpc/server_stream.h"
#include "service/rpc/unary.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/recording_audit_log.h"
#include "tests/unit/rpc/call_test.h"

namespace lmbroker::rpc {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::Contains;
using testing::IsEmpty;
using testing::Key;

// Names of the method table, with work of each kind; what they take and give is the tests'.
constexpr const char* kAsync = "/lmbroker.v1.ForwardService/Forward";
constexpr const char* kStream = "/lmbroker.v1.ForwardService/ForwardStream";
constexpr const char* kLocal = "/lmbroker.v1.PolicyService/ListGrants";
constexpr const char* kPortal = "/lmbroker.v1.TokenService/GetToken";
constexpr const char* kOperators = "/lmbroker.v1.CredentialService/ProbeCredential";

constexpr int kInvalidArgument = static_cast<int>(absl::StatusCode::kInvalidArgument);

// Work that has begun and waits for the test.
struct Gate {
  std::coroutine_handle<> waiter;
  core::CallContext* call = nullptr;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> who) { waiter = who; }
  void await_resume() const {}
};

void Record(core::CallContext& call) { EXPECT_TRUE(call.audit.IntentAndWait(audit::Durability::kFlushedSoon).ok()); }

using Outcome = absl::StatusOr<HealthCheckResponse::ServingStatus>;

// "unaudited" succeeds without an intent, "wait" waits at the gate.
Task<Outcome> DoWork(core::CallContext* call, std::string input, Gate* gate) {
  if (input != "unaudited") Record(*call);
  if (input == "wait") {
    gate->call = call;
    co_await *gate;
  }
  if (call->cancelled.stop_requested()) co_return Cancelled();
  co_return HealthCheckResponse::SERVING;
}

Outcome Block(core::CallContext& call, const std::string&) {
  Record(call);
  return HealthCheckResponse::SERVING;
}

// A message on its way.
struct Written {
  MessageStream<HealthCheckResponse>& out;
  HealthCheckResponse message;
  bool ok = false;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    out.Write(message, [this, waiter](bool done) {
      ok = done;
      waiter.resume();
    });
  }
  bool await_resume() const { return ok; }
};

// Says it three times, and notes what became of it.
Task<absl::Status> SayThrice(core::CallContext* call, MessageStream<HealthCheckResponse>* out,
                             std::vector<bool>* done) {
  Record(*call);
  for (int i = 0; i < 3; ++i) {
    Written written{.out = *out, .message = {}};
    written.message.set_status(HealthCheckResponse::SERVING);
    const bool ok = co_await written;
    done->push_back(ok);
    if (!ok) co_return Cancelled();
  }
  co_return absl::OkStatus();
}

absl::StatusOr<std::string> Parse(const HealthCheckRequest& request) {
  if (request.service() == "bad") return FieldInvalid("service", "is bad");
  return request.service();
}
void Write(HealthCheckResponse::ServingStatus status, HealthCheckResponse& out) { out.set_status(status); }

class ServedCallTest : public CallTest {
 protected:
  ServedCallTest() {
    const auto async = [this](core::CallContext& call, std::string input) {
      return DoWork(&call, std::move(input), &gate_);
    };
    const auto stream = [this](core::CallContext& call, const std::string&, MessageStream<HealthCheckResponse>& out) {
      return SayThrice(&call, &out, &done_);
    };
    Serve<HealthCheckRequest, HealthCheckResponse>(methods_, edge_, kAsync, Parse, async, Write);
    Serve<HealthCheckRequest, HealthCheckResponse>(methods_, edge_, kOperators, Parse, async, Write);
    Serve<HealthCheckRequest, HealthCheckResponse>(methods_, edge_, kLocal, Parse, Block, Write);
    Serve<HealthCheckRequest, HealthCheckResponse>(methods_, edge_, kPortal, Parse, Block, Write);
    ServeStream<HealthCheckRequest, HealthCheckResponse>(methods_, edge_, kStream, Parse, stream);
  }
  void TearDown() override {
    Leave();
    EXPECT_EQ(memory_.taken(), 0U);
    EXPECT_EQ(edge_.in_flight(), 0U);
  }

  void OpenGate() {
    OnLoop([this] { gate_.waiter.resume(); });
  }
  // The work on other threads ends, and the loop hears of it.
  void EndWork() {
    workers_.reset();
    Exchange();
  }

  core::PolicyHolder policy_{std::make_shared<const policy::Engine>(std::make_shared<const policy::Policy>())};
  identity::Standing standing_{clock_};
  audit::RecordingAuditLog audit_;
  audit::RefusalLimiter refusals_{audit_, clock_};
  std::optional<Executor> workers_{Executor::Options{.threads = 1, .most_queued = 1}};
  Executor no_workers_{{.threads = 0, .most_queued = 0}};
  FakeRandom random_;
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{.version = "test"}};
  ByteBudget memory_{1000};
  Edge edge_{{.clock = clock_,
              .scheduler = *loop_,
              .random = random_,
              .policy = policy_,
              .tokens = nullptr,
              .standing = standing_,
              .audit = audit_,
              .refusals = refusals_,
              .local_workers = *workers_,
              .portal_workers = no_workers_,
              .logger = logger_,
              .metrics = metrics_,
              .memory = memory_},
             {}};
  Gate gate_;
  std::vector<bool> done_;  // of each message of the stream
};

TEST_F(ServedCallTest, AnAnswerIsAMessageAndAStatus) {
  const std::int32_t id = Ask(kAsync, Named("a"));
  EXPECT_EQ(Got(id).body, Saying(HealthCheckResponse::SERVING));
  EXPECT_EQ(StatusIn(Got(id).trailers), 0);
  EXPECT_EQ(calls(), 0U);
  EXPECT_EQ(audit_.records().back().code, "OK");
}

TEST_F(ServedCallTest, WorkThatBlocksIsDoneOnAnotherThread) {
  const std::int32_t id = Ask(kLocal, Named("a"));
  EndWork();
  EXPECT_EQ(Got(id).body, Saying(HealthCheckResponse::SERVING));
  EXPECT_EQ(StatusIn(Got(id).trailers), 0);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, WithoutAThreadForItAndRoomToWaitACallIsRefused) {
  EXPECT_EQ(Refused(Ask(kPortal, Named("a"))), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, ABadFormIsRefusedWithItsDetailsAndWithoutAMessage) {
  const std::int32_t id = Ask(kAsync, Named("bad"));
  EXPECT_EQ(Refused(id), kInvalidArgument);
  EXPECT_THAT(Got(id).head, Contains(Key("grpc-message")));
  EXPECT_THAT(Got(id).head, Contains(Key("grpc-status-details-bin")));
  EXPECT_EQ(audit_.records().back().reason, "FIELD_INVALID");
}

// So that it says nothing of what there is.
TEST_F(ServedCallTest, ABadFormIsRefusedTheSameToWhoMayNotCallAtAll) {
  EXPECT_EQ(Refused(Ask(kOperators, Named("bad"))), kInvalidArgument);
  EXPECT_EQ(Refused(Ask(kOperators, Named("good"))), static_cast<int>(absl::StatusCode::kPermissionDenied));
}

TEST_F(ServedCallTest, ARequestThatIsNoSuchMessageIsRefused) {
  EXPECT_EQ(Refused(Ask(kAsync, std::string("\0\0\0\0\2\n\7", 7))), kInvalidArgument);
  EXPECT_EQ(audit_.records().back().reason, "FIELD_INVALID");
}

TEST_F(ServedCallTest, ARequestWithoutAMessageIsRefusedAndAudited) {
  EXPECT_EQ(Refused(Ask(kAsync, "")), kInvalidArgument);
  EXPECT_EQ(Refused(Ask(kStream, "")), kInvalidArgument);
  EXPECT_EQ(audit_.records().size(), 4U);  // two pairs
  EXPECT_EQ(audit_.records().back().reason, "FIELD_INVALID");
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, ARequestWithTwoMessagesIsRefusedAndAudited) {
  EXPECT_EQ(Refused(Ask(kAsync, Named("a") + Named("b"))), kInvalidArgument);
  EXPECT_EQ(Refused(Begin(kStream, Named("a") + Named("b"))), kInvalidArgument);
  EXPECT_EQ(audit_.records().size(), 4U);  // two pairs
  EXPECT_EQ(audit_.records().back().reason, "FIELD_INVALID");
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, ASuccessThatWasNotAuditedTellsNothing) {
  EXPECT_EQ(Refused(Ask(kAsync, Named("unaudited"))), static_cast<int>(absl::StatusCode::kInternal));
}

TEST_F(ServedCallTest, ACallerWhoLeavesStopsTheWorkAndTheCallLastsUntilItHasEnded) {
  const std::int32_t id = Ask(kAsync, Named("wait"));
  ASSERT_NE(gate_.call, nullptr);
  EXPECT_FALSE(gate_.call->cancelled.stop_requested());
  client_.Reset(id);
  Exchange();
  EXPECT_TRUE(gate_.call->cancelled.stop_requested());
  EXPECT_EQ(calls(), 1U);
  OpenGate();
  EXPECT_EQ(calls(), 0U);
  EXPECT_EQ(audit_.records().back().code, "CANCELLED");
}

TEST_F(ServedCallTest, ACallerWhoLeavesBeforeTheRequestIsWholeMakesNoCall) {
  for (const char* path : {kAsync, kStream, kLocal}) {
    const std::int32_t id = Begin(path, Named("a"));
    EXPECT_EQ(calls(), 1U);
    client_.Reset(id);
    Exchange();
    EXPECT_EQ(calls(), 0U);
  }
  EXPECT_THAT(audit_.records(), IsEmpty());
}

TEST_F(ServedCallTest, ARecalledCallIsCancelledForItsCallerAndForItsWork) {
  const std::int32_t id = Ask(kAsync, Named("wait"));
  edge_.RecallCalls();
  Exchange();
  EXPECT_EQ(Got(id).reset, std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_TRUE(gate_.call->cancelled.stop_requested());
  OpenGate();
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, AStreamSaysItsMessagesAsTheyAreTakenAndThenItsStatus) {
  const std::int32_t id = client_.Request(Http2Client::HeadFor(kStream), Named("a"));
  Deliver();
  EXPECT_THAT(done_, IsEmpty());
  Exchange();
  const std::string once = Saying(HealthCheckResponse::SERVING);
  EXPECT_EQ(Got(id).body, once + once + once);
  EXPECT_EQ(StatusIn(Got(id).trailers), 0);
  EXPECT_THAT(done_, testing::ElementsAre(true, true, true));
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, AStreamWhoseCallerLeavesHearsOfIt) {
  const std::int32_t id = client_.Request(Http2Client::HeadFor(kStream), Named("a"));
  Deliver();
  client_.Reset(id);
  Deliver();
  EXPECT_THAT(done_, testing::ElementsAre(false));
  EXPECT_EQ(calls(), 0U);
  EXPECT_EQ(audit_.records().back().code, "CANCELLED");
}

TEST_F(ServedCallTest, ACallerWhoDoesNotReadIsCutOffSoonAfterTheDeadline) {
  const auto head = [](const char* path) { return Http2Client::HeadFor(path, {{"grpc-timeout", "10S"}}); };
  const std::int32_t unary = client_.Request(head(kAsync), Named("a"));
  const std::int32_t stream = client_.Request(head(kStream), Named("a"));
  Deliver();
  clock_.Advance(absl::Seconds(10));
  Tend();
  EXPECT_THAT(done_, IsEmpty());
  clock_.Advance(absl::Seconds(1));
  Tend();
  Exchange();
  EXPECT_EQ(Got(unary).reset, std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_EQ(Got(stream).reset, std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_THAT(done_, testing::ElementsAre(false));
  EXPECT_EQ(calls(), 0U);
}

TEST_F(ServedCallTest, UnaryWorkMayEndAfterItsDeadline) {
  const std::int32_t id = Ask(kAsync, Named("wait"));
  clock_.Advance(absl::Minutes(6));
  Tend();
  Exchange();
  OpenGate();
  Tend();
  Exchange();
  EXPECT_EQ(StatusIn(Got(id).trailers), 0);
}

TEST_F(ServedCallTest, CallsInTheMiddleOfTheirWorkOutliveTheirConnection) {
  Ask(kAsync, Named("wait"));
  Begin(kLocal, Named("a"));
  EXPECT_EQ(calls(), 2U);
  Abandon();
  EXPECT_EQ(calls(), 1U);
  OpenGate();
  EXPECT_EQ(calls(), 0U);
}

}  // namespace
}  // namespace lmbroker::rpc
