#include "service/http/method.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

TEST(MethodTest, EveryMethodIsReadByItsOwnName) {
  for (const Method method : {Method::kGet, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete}) {
    EXPECT_THAT(ParseMethod(MethodName(method)), IsOkAndHolds(method));
  }
}

TEST(MethodTest, NothingElseIsAMethod) {
  for (const std::string text : {"", "get", "Get", "GET ", " GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PURGE",
                                 "GET /x HTTP/1.1\r\nX:", "PO\0ST"}) {
    const auto method = ParseMethod(text);
    EXPECT_THAT(method, RefusedWith(Reason::kFieldInvalid)) << text;
    EXPECT_EQ(MetadataOf(method.status())["field"], "method");
  }
}

}  // namespace
}  // namespace lmbroker::http
