#include "service/rpc/grpc_call.h"

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/rpc/health_service.h"
#include "service/rpc/reflection_service.h"
#include "tests/unit/rpc/call_test.h"

namespace lmbroker::rpc {
namespace {

using grpc::health::v1::HealthCheckResponse;
using testing::Contains;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kCheck = "/grpc.health.v1.Health/Check";
constexpr const char* kWatch = "/grpc.health.v1.Health/Watch";
constexpr const char* kReflect = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

constexpr int kInvalidArgument = static_cast<int>(absl::StatusCode::kInvalidArgument);
constexpr int kDeadlineExceeded = static_cast<int>(absl::StatusCode::kDeadlineExceeded);
constexpr int kNotFound = static_cast<int>(absl::StatusCode::kNotFound);
constexpr int kResourceExhausted = static_cast<int>(absl::StatusCode::kResourceExhausted);
constexpr int kUnavailable = static_cast<int>(absl::StatusCode::kUnavailable);

class GrpcCallTest : public CallTest {
 protected:
  GrpcCallTest() {
    health_.AddTo(methods_);
    reflection_.AddTo(methods_);
  }

  // A request for a service whose name makes it a message of that many bytes.
  static std::string RequestOf(std::size_t bytes) { return Named(std::string(bytes - 2, 'a')); }

  HealthService health_{{"lmbroker.v1.TokenService"}};
  ReflectionService reflection_{{"lmbroker.v1.TokenService"}};
};

TEST_F(GrpcCallTest, ACheckIsAnsweredWithAMessageAndAStatus) {
  for (const char* service : {"", "lmbroker.v1.TokenService"}) {
    const std::int32_t id = Ask(kCheck, Named(service));
    EXPECT_THAT(Got(id).head, Contains(Pair(":status", "200")));
    EXPECT_THAT(Got(id).head, Contains(Pair("content-type", "application/grpc")));
    EXPECT_EQ(Got(id).body, Saying(HealthCheckResponse::SERVING));
    EXPECT_EQ(StatusIn(Got(id).trailers), 0);
    EXPECT_TRUE(Got(id).ended);
  }
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, AnUnknownServiceIsNotFoundWithoutAMessage) {
  const std::int32_t id = Ask(kCheck, Named("lmbroker.v1.SecretService"));
  EXPECT_THAT(Got(id).head, Contains(Pair(":status", "200")));
  EXPECT_EQ(Refused(id), kNotFound);
  EXPECT_TRUE(Got(id).ended);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, AfterServingACheckSaysSo) {
  OnLoop([this] { health_.StopServing(); });
  EXPECT_EQ(Got(Ask(kCheck, Named(""))).body, Saying(HealthCheckResponse::NOT_SERVING));
}

TEST_F(GrpcCallTest, AWatchIsToldOfEachChangeAndOfTheEnd) {
  const std::int32_t id = Ask(kWatch, Named(""));
  std::string told = Saying(HealthCheckResponse::SERVING);
  EXPECT_EQ(Got(id).body, told);
  OnLoop([this] { health_.StopServing(); });
  Exchange();
  EXPECT_EQ(Got(id).body, told += Saying(HealthCheckResponse::NOT_SERVING));
  EXPECT_FALSE(Got(id).ended);
  OnLoop([this] { health_.EndWatches(); });
  Exchange();
  EXPECT_EQ(Got(id).body, told);
  EXPECT_EQ(StatusIn(Got(id).trailers), kUnavailable);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, AChangeThatIsFollowedByTheEndAtOnceIsToldStill) {
  const std::int32_t id = Ask(kWatch, Named(""));
  OnLoop([this] {
    health_.StopServing();
    health_.EndWatches();
  });
  Exchange();
  EXPECT_EQ(Got(id).body, Saying(HealthCheckResponse::SERVING) + Saying(HealthCheckResponse::NOT_SERVING));
  EXPECT_EQ(StatusIn(Got(id).trailers), kUnavailable);
}

TEST_F(GrpcCallTest, AWatchThatComesAfterTheEndHearsTheStatusAndEnds) {
  OnLoop([this] { health_.EndWatches(); });
  const std::int32_t id = Ask(kWatch, Named("lmbroker.v1.SecretService"));
  EXPECT_EQ(Got(id).body, Saying(HealthCheckResponse::SERVICE_UNKNOWN));
  EXPECT_EQ(StatusIn(Got(id).trailers), kUnavailable);
}

TEST_F(GrpcCallTest, AWatchWhoseCallerHasLeftIsForgotten) {
  client_.Reset(Ask(kWatch, Named("")));
  Exchange();
  EXPECT_EQ(calls(), 0U);
  OnLoop([this] {
    health_.StopServing();
    health_.EndWatches();
  });
}

TEST_F(GrpcCallTest, QuestionsAreAnsweredWhileMoreAreAsked) {
  grpc::reflection::v1alpha::ServerReflectionRequest question;
  question.set_list_services("*");
  const std::string answer = Framed(reflection_.AnswerTo(question));
  const std::int32_t id = Begin(kReflect, Framed(question));
  EXPECT_EQ(Got(id).body, answer);
  client_.Data(id, Framed(question), /*end=*/true);
  Exchange();
  EXPECT_EQ(Got(id).body, answer + answer);
  EXPECT_EQ(StatusIn(Got(id).trailers), 0);
}

TEST_F(GrpcCallTest, WhoAsksAndDoesNotReadIsRefused) {
  grpc::reflection::v1alpha::ServerReflectionRequest question;
  question.set_file_by_filename("nothing");
  const std::int32_t id = Begin(kReflect);
  for (int i = 0; i < 101; ++i) client_.Data(id, Framed(question));
  Exchange();
  EXPECT_EQ(StatusIn(Got(id).trailers), kResourceExhausted);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, ARequestMayComeInPieces) {
  const std::int32_t id = Begin(kCheck);
  const std::string request = Named("lmbroker.v1.TokenService");
  for (const char byte : request) {
    client_.Data(id, std::string_view(&byte, 1), /*end=*/false);
    Exchange();
  }
  EXPECT_THAT(Got(id).head, IsEmpty());
  client_.Data(id, "", /*end=*/true);
  Exchange();
  EXPECT_EQ(StatusIn(Got(id).trailers), 0);
}

TEST_F(GrpcCallTest, ARequestMayBeCompressedAsItsHeadSays) {
  const std::string plain = Named("lmbroker.v1.TokenService").substr(5);
  std::string compressed(compressBound(plain.size()), '\0');
  uLongf size = compressed.size();
  ASSERT_EQ(compress(reinterpret_cast<Bytef*>(compressed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
                     plain.size()),
            Z_OK);
  compressed.resize(size);
  const std::string framed = std::string({'\1', '\0', '\0', '\0', static_cast<char>(size)}) + compressed;
  const std::int32_t id = Begin(kCheck, framed, {{"grpc-encoding", "deflate"}});
  client_.Data(id, "", /*end=*/true);
  Exchange();
  EXPECT_EQ(Got(id).body, Saying(HealthCheckResponse::SERVING));
  EXPECT_EQ(Refused(Begin(kCheck, framed)), kInvalidArgument);
}

TEST_F(GrpcCallTest, ARequestThatEndsWithinAMessageIsRefused) {
  for (const std::size_t size : {1U, 5U, 8U}) {
    EXPECT_EQ(Refused(Ask(kCheck, Named("lmbroker").substr(0, size))), kInvalidArgument) << size;
  }
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, AMessageOverTheLimitIsRefusedBeforeItHasComeWhole) {
  const std::int32_t id = Begin(kCheck, RequestOf(kMostMessage + 1).substr(0, 50));
  EXPECT_EQ(Refused(id), kResourceExhausted);
  EXPECT_TRUE(Got(id).ended);
  EXPECT_EQ(unread_.taken(), 0U);
  EXPECT_EQ(calls(), 0U);
  EXPECT_EQ(Refused(Ask(kCheck, RequestOf(kMostMessage))), kNotFound);
}

TEST_F(GrpcCallTest, WithoutRoomForAMessageItIsRefusedAndOthersComeToTheirEnd) {
  const std::string request = RequestOf(kMostMessage);
  const std::int32_t first = Begin(kCheck, request.substr(0, 100));
  EXPECT_EQ(unread_.taken(), 95U);
  const std::int32_t second = Begin(kCheck, request.substr(0, 50));
  EXPECT_EQ(unread_.taken(), 140U);
  client_.Data(second, request.substr(50, 50));
  Exchange();
  EXPECT_EQ(Refused(second), kResourceExhausted);
  EXPECT_EQ(unread_.taken(), 95U);
  client_.Data(first, request.substr(100), /*end=*/true);
  Exchange();
  EXPECT_EQ(Refused(first), kNotFound);
  EXPECT_EQ(unread_.taken(), 0U);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, WhatComesBehindARefusalIsOfNoInterest) {
  const std::int32_t id = client_.Request(Http2Client::HeadFor(kCheck), std::string("\2\0\0\0\0", 5), /*end=*/false);
  Deliver();
  client_.Data(id, Named(""), /*end=*/true);
  Exchange();
  EXPECT_EQ(Refused(id), kInvalidArgument);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, ACallWhoseRequestDoesNotComeWholeEndsWithItsTime) {
  const std::int32_t silent = Begin(kCheck);
  const std::int32_t half = Begin(kCheck, Named("lmbroker").substr(0, 9));
  const std::int32_t short_of_time = Begin(kCheck, Named(""), {{"grpc-timeout", "2S"}});
  const auto after = [this](absl::Duration time) {
    clock_.Advance(time);
    Tend();
    Exchange();
  };
  after(absl::Seconds(2));
  EXPECT_EQ(Refused(short_of_time), kDeadlineExceeded);
  after(absl::Seconds(27));
  EXPECT_THAT(Got(silent).head, IsEmpty());
  EXPECT_THAT(Got(half).head, IsEmpty());
  after(absl::Seconds(1));
  EXPECT_EQ(Refused(silent), kDeadlineExceeded);
  EXPECT_EQ(Refused(half), kDeadlineExceeded);
  EXPECT_EQ(unread_.taken(), 0U);
  EXPECT_EQ(calls(), 0U);
}

TEST_F(GrpcCallTest, NoTimeoutGivesARequestMoreThanFiveMinutes) {
  const std::int32_t id = Begin(kCheck, "", {{"grpc-timeout", "99H"}});
  clock_.Advance(absl::Minutes(5));
  Tend();
  Exchange();
  EXPECT_EQ(Refused(id), kDeadlineExceeded);
}

TEST_F(GrpcCallTest, ACallWhoseRequestIsWholeIsLeftAlone) {
  const std::int32_t id = Ask(kWatch, Named(""));
  clock_.Advance(absl::Hours(1));
  Tend();
  Exchange();
  EXPECT_FALSE(Got(id).ended);
  EXPECT_EQ(calls(), 1U);
}

TEST_F(GrpcCallTest, ACallerWhoDoesNotReadARefusalIsCutOff) {
  const std::int32_t id = client_.Request(Http2Client::HeadFor(kCheck, {{"grpc-timeout", "2S"}}), Named("").substr(1));
  Deliver();
  clock_.Advance(absl::Seconds(3));
  Tend();
  Exchange();
  EXPECT_EQ(Got(id).reset, std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_EQ(calls(), 0U);
}

// Its caller may take a while to read the answer; others need the room now.
TEST_F(GrpcCallTest, ACallWhoseTimeIsOverHoldsNothingOfItsRequest) {
  Begin(kCheck, RequestOf(kMostMessage).substr(0, 100));
  EXPECT_EQ(unread_.taken(), 95U);
  clock_.Advance(absl::Seconds(30));
  Tend();
  EXPECT_EQ(unread_.taken(), 0U);
}

TEST_F(GrpcCallTest, ACallerMayLeaveAtAnyTime) {
  for (const char* path : {kCheck, kWatch, kReflect}) {
    const std::int32_t silent = Begin(path);
    const std::int32_t half = Begin(path, Named("lmbroker").substr(0, 9));
    const std::int32_t whole = Begin(path, Named("lmbroker"));
    EXPECT_EQ(calls(), 3U);
    for (const std::int32_t id : {silent, half, whole}) client_.Reset(id);
    Exchange();
    EXPECT_EQ(calls(), 0U);
    EXPECT_EQ(unread_.taken(), 0U);
  }
}

TEST_F(GrpcCallTest, CallsEndWithTheirConnection) {
  for (const char* path : {kCheck, kWatch, kReflect}) Begin(path, Named("lmbroker").substr(0, 9));
  Ask(kWatch, Named(""));
  EXPECT_EQ(calls(), 4U);
  Leave();
}

}  // namespace
}  // namespace lmbroker::rpc
