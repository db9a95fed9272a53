#include "service/http/headers.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/base/text.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;

TEST(HeadersTest, AllowedNamesPassInCanonicalSpellingAndOrder) {
  const auto headers =
      RequestHeaders::Make({{"accept", "text/csv"}, {"TRACEPARENT", "00-a-b-01"}, {"if-none-match", "\"x, y\""}});
  ASSERT_THAT(headers, IsOk());
  EXPECT_THAT(headers->all(), ElementsAre(NameValue{"Accept", "text/csv"}, NameValue{"traceparent", "00-a-b-01"},
                                          NameValue{"If-None-Match", "\"x, y\""}));
  EXPECT_EQ(headers->Find("Accept"), "text/csv");
  EXPECT_EQ(headers->Find("Content-Type"), std::nullopt);
}

TEST(HeadersTest, EveryNameOfTheContractIsAllowed) {
  EXPECT_THAT(RequestHeaders::Make({{"Accept", "*/*"},
                                    {"Accept-Language", "de"},
                                    {"Content-Type", "text/plain"},
                                    {"Content-Encoding", "gzip"},
                                    {"If-Match", "*"},
                                    {"If-None-Match", "*"},
                                    {"If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"},
                                    {"X-Request-Id", "1"},
                                    {"traceparent", "1"},
                                    {"tracestate", "a=1,b=2"}}),
              IsOk());
}

TEST(HeadersTest, ValueLengthIsLimited) {
  EXPECT_THAT(RequestHeaders::Make({{"tracestate", std::string(8192, 'a')}}), IsOk());
  EXPECT_THAT(RequestHeaders::Make({{"tracestate", std::string(8193, 'a')}}), RefusedWith(Reason::kFieldInvalid));
}

TEST(HeadersTest, MoreThanThirtyTwoAreRefusedAsSuch) {
  const absl::Status status = RequestHeaders::Make(std::vector<NameValue>(33, {"Accept", "a"})).status();
  EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid));
  EXPECT_EQ(MetadataOf(status).at("field"), "headers");
}

TEST(HeadersTest, RepeatedHeaderIsRefusedInAnySpelling) {
  const absl::Status status = RequestHeaders::Make({{"Accept", "a"}, {"aCCEPT", "b"}}).status();
  EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid));
  EXPECT_EQ(MetadataOf(status).at("field"), "headers[1].name");
}

TEST(HeadersTest, NameOutsideTheListIsNotAllowed) {
  const std::vector<std::string> names = {
      // what the broker sets, frames or must never pass
      "Authorization", "authorization", "AUTHORIZATION", "Proxy-Authorization", "Host", "host", "Content-Length",
      "Transfer-Encoding", "TE", "Trailer", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Expect",
      "Cookie", "Cookie2", "Set-Cookie", "X-Version", "x-version", "X-CSRF-Token", "User-Agent", "Range",
      "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via", "X-HTTP-Method-Override",
      "X-Original-URL", "X-Rewrite-URL", "Origin", "Referer", "Content-Range", "Content-MD5", "X-LM-Auth", ":authority",
      ":path", ":method", "Proxy", "Max-Forwards",
      // names that some parser takes for an allowed one
      "", " ", "Accept ", " Accept", "Accept:", "Accept\t", "Content_Type", "X_Request_Id", "If_Match",
      "Content-Type\r", "Accept\r\nAuthorization", "Accept: a\r\nHost", "Accept\n", "Accept\0"s, "\0Accept"s,
      "Accept\0Host"s, "Acc\xC3\xA9pt",
      "\xEF\xBB\xBF"
      "Accept",
      "Accept-", "Accepts", "-Accept", "X-Request-Id2", "trace-parent", "\xFF", std::string(70000, 'A')};
  for (const std::string& name : names) {
    const absl::Status status = RequestHeaders::Make({{"Accept", "a"}, {name, "1"}}).status();
    EXPECT_THAT(status, RefusedWith(Reason::kHeaderNotAllowed)) << Excerpt(name);
    EXPECT_EQ(MetadataOf(status)["field"], "headers[1].name");
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
  }
}

TEST(HeadersTest, BadValueIsInvalid) {
  const std::vector<NameValue> headers = {NameValue{"Accept", ""},
                                          NameValue{"Accept", " "},
                                          NameValue{"Accept", " a"},
                                          NameValue{"Accept", "a "},
                                          NameValue{"Accept", "\ta"},
                                          NameValue{"Accept", "a\t"},
                                          NameValue{"Accept", "a\tb"},
                                          NameValue{"Accept", "a\r\nAuthorization: Bearer x"},
                                          NameValue{"Accept", "a\nHost: evil"},
                                          NameValue{"Accept", "a\rHost: evil"},
                                          NameValue{"Accept", "a\r\n b"},
                                          NameValue{"Accept", "\r\n\r\nGET /"},
                                          NameValue{"Accept", "a\0"s},
                                          NameValue{"Accept", "\0"s},
                                          NameValue{"Accept", "a\0b"s},
                                          NameValue{"Accept", "a\x01"},
                                          NameValue{"Accept", "a\x0b"},
                                          NameValue{"Accept", "\x1b[31m"},
                                          NameValue{"Accept", "a\x7f"},
                                          NameValue{"Accept", "caf\xC3\xA9"},
                                          NameValue{"Accept", "caf\xE9"},
                                          NameValue{"Accept", "\xE5\x98\x8A\xE5\x98\x8DHost: evil"},
                                          NameValue{"Accept", "a\xC2\x85"},
                                          NameValue{"Content-Encoding", "br"},
                                          NameValue{"Content-Encoding", "identity"},
                                          NameValue{"Content-Encoding", "x-gzip"},
                                          NameValue{"Content-Encoding", "gzip, gzip"},
                                          NameValue{"Content-Encoding", "gzip,deflate"},
                                          NameValue{"Content-Encoding", "chunked"},
                                          NameValue{"Content-Encoding", "compress"},
                                          NameValue{"Content-Encoding", "*"}};
  for (const NameValue& header : headers) {
    const absl::Status status = RequestHeaders::Make({header}).status();
    EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << Excerpt(header.value);
    EXPECT_EQ(MetadataOf(status)["field"], "headers[0].value");
  }
}

TEST(ReplyHeadersTest, OnlyListedOnesPass) {
  const std::vector<NameValue> received = {{"content-type", "application/json"},
                                           {"Set-Cookie", "JSESSIONID=1"},
                                           {"x-rate-limit-limit", "500"},
                                           {"X-Rate-Limit-Bucket", "a"},
                                           {"Location", "https://evil.example"},
                                           {"X-Server-Version", "231-7"},
                                           {"Connection", "close"},
                                           {"Server", "nginx"},
                                           {"Transfer-Encoding", "chunked"},
                                           {"X-Rate-Limit", "1"},
                                           {"WWW-Authenticate", "LMv1"},
                                           {"Retry-After", "3"}};
  EXPECT_THAT(PassedReplyHeaders(received),
              ElementsAre(NameValue{"Content-Type", "application/json"}, NameValue{"X-Rate-Limit-Limit", "500"},
                          NameValue{"X-Rate-Limit-Bucket", "a"}, NameValue{"x-server-version", "231-7"},
                          NameValue{"Retry-After", "3"}));
}

TEST(ReplyHeadersTest, ValueThatIsNotVisibleAsciiIsLeftOut) {
  EXPECT_THAT(PassedReplyHeaders({{"ETag", "\"\xE9\""}, {"Date", "a\tb"}, {"X-Request-Id", "ok"}}),
              ElementsAre(NameValue{"X-Request-Id", "ok"}));
}

}  // namespace
}  // namespace lmbroker::http
