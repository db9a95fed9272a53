#include "service/portal/errors.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::portal {
namespace {

http::Response Reply(int status, std::string body, std::vector<http::NameValue> headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = std::move(body)};
}

TEST(ErrorsTest, SuccessIsOk) {
  const http::Response replies[] = {
      Reply(200, R"({"id":41})"),
      Reply(200, "{}"),
      Reply(204, ""),
      Reply(202, R"({"errorMessage":"running","errorCode":1202})"),
      Reply(200, R"({"message":"Accepted","success":true})"),
      Reply(200, R"({"note":"errorCode"})"),
  };
  for (const http::Response& reply : replies) {
    EXPECT_TRUE(CheckReply(reply, Effect::kRepeatable, Reason::kUnknownToken).ok()) << reply.body;
  }
}

TEST(ErrorsTest, PlainSuccessIs200WithoutAnErrorOrWorkThatGoesOn) {
  EXPECT_TRUE(IsPlainSuccess(200, R"({"items":[],"total":0})"));
  EXPECT_TRUE(IsPlainSuccess(200, R"({"errorCode":0})"));
  EXPECT_TRUE(IsPlainSuccess(200, "not JSON"));
  EXPECT_TRUE(IsPlainSuccess(200, ""));
  EXPECT_FALSE(IsPlainSuccess(200, R"({"errorMessage":"no","errorCode":1401})"));
  EXPECT_FALSE(IsPlainSuccess(200, R"({"errorMessage":"running","errorCode":1202})"));
  for (const int status : {202, 204, 206, 304, 404, 500}) EXPECT_FALSE(IsPlainSuccess(status, "{}")) << status;
}

TEST(ErrorsTest, EveryAnswerOfLmHasItsReason) {
  const struct {
    http::Response reply;
    Reason reason;
  } cases[] = {
      {Reply(400, R"({"errorMessage":"bad","errorCode":1400,"errorDetail":null})"), Reason::kPortalRejected},
      {Reply(412, ""), Reason::kPortalRejected},
      {Reply(413, ""), Reason::kPortalRejected},
      {Reply(415, R"({"message":"type","timestamp":1})"), Reason::kPortalRejected},
      {Reply(401, R"({"errorMessage":"Authentication failed","errorCode":1401})"), Reason::kMasterRefused},
      {Reply(403, R"({"errorMessage":"Permission denied","errorCode":1403})"), Reason::kPortalDenied},
      {Reply(404, R"({"errorMessage":"HTTP 404 Not Found","errorCode":1400})"), Reason::kUnknownAdmin},
      {Reply(409, R"({"errorMessage":"exists","errorCode":1409})"), Reason::kPortalConflict},
      {Reply(429, R"({"errorMessage":"Too many requests","errorCode":1429})"), Reason::kBudgetExhausted},
      {Reply(500, R"({"errorMessage":"internal","errorCode":1500})"), Reason::kPortalError},
      {Reply(503, "<html>temporarily unavailable</html>"), Reason::kPortalError},
      {Reply(302, ""), Reason::kPortalError},
      {Reply(200, R"({"errorMessage":"Authentication failed","errorCode":1401})"), Reason::kMasterRefused},
      {Reply(200, R"({"errorMessage":"denied","errorCode":1041})"), Reason::kPortalDenied},
      {Reply(200, R"({"errorMessage":"No such record","errorCode":1069})"), Reason::kUnknownAdmin},
      {Reply(200, R"({"errorMessage":"exists","errorCode":600})"), Reason::kPortalConflict},
      {Reply(202, R"({"errorMessage":"rate","errorCode":1100})"), Reason::kBudgetExhausted},
      {Reply(200, R"({"errorMessage":"what?","errorCode":99999})"), Reason::kPortalError},
      {Reply(200, R"({"errorMessage":"dependency","errorCode":14001})"), Reason::kPortalRejected},
  };
  for (const auto& c : cases) {
    const absl::Status status = CheckReply(c.reply, Effect::kRepeatable, Reason::kUnknownAdmin);
    EXPECT_THAT(status, RefusedWith(c.reason)) << c.reply.status << c.reply.body;
  }
}

TEST(ErrorsTest, FailureOfACreateIsUnknownUnlessLmSaidNo) {
  const auto check = [](const http::Response& reply) {
    return ReasonOf(CheckReply(reply, Effect::kCreate, Reason::kUnknownAdmin));
  };
  EXPECT_EQ(check(Reply(500, "")), Reason::kOutcomeUnknown);
  EXPECT_EQ(check(Reply(503, "<html>")), Reason::kOutcomeUnknown);
  EXPECT_EQ(check(Reply(200, R"({"errorMessage":"?","errorCode":99999})")), Reason::kOutcomeUnknown);
  EXPECT_EQ(check(Reply(400, "")), Reason::kPortalRejected);
  EXPECT_EQ(check(Reply(429, "")), Reason::kBudgetExhausted);
}

TEST(ErrorsTest, MetadataHasLmsWordsBoundedAndPrintable) {
  const std::string message = "line\\nbreak \\u0007 \\\" ë" + std::string(1000, 'x');
  const auto status = CheckReply(Reply(400, R"({"errorMessage":")" + message + R"(","errorCode":1400})"),
                                 Effect::kRepeatable, Reason::kUnknownToken);
  auto metadata = MetadataOf(status);
  EXPECT_EQ(metadata["http_status"], "400");
  EXPECT_EQ(metadata["error_code"], "1400");
  EXPECT_EQ(metadata["error_message"].substr(0, 18), "line?break ? \" ??x");
  EXPECT_EQ(metadata["error_message"].size(), 256U);
}

TEST(ErrorsTest, HugeOrHostileBodiesGiveTheStatusAlone) {
  for (const std::string& body : {std::string(1 << 20, '{'), std::string("{\"errorMessage\":\"\xff\"}"),
                                  std::string("\0{", 2), std::string(R"({"errorCode":"1403"})")}) {
    const auto status = CheckReply(Reply(403, body), Effect::kRepeatable, Reason::kUnknownToken);
    EXPECT_THAT(status, RefusedWith(Reason::kPortalDenied));
    EXPECT_EQ(MetadataOf(status).count("error_message"), 0U);
  }
}

TEST(ErrorsTest, RateLimitSaysWhenToComeBack) {
  const auto status =
      CheckReply(Reply(429, "", {{"x-rate-limit-window", "42"}}), Effect::kRepeatable, Reason::kUnknownToken);
  EXPECT_TRUE(status.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
}

}  // namespace
}  // namespace lmbroker::portal
