#include "service/http/framing.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/outgoing_request_peer.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Upstream Portal(std::uint16_t port = 443) {
  return {.portal = *PortalName::FromId("acme", "portal"), .host = "acme.logicmonitor.com", .port = port};
}

std::string Wire(const OutgoingRequest& request, const Upstream& upstream = Portal()) {
  const auto wire = Frame(request, upstream);
  EXPECT_THAT(wire, IsOk());
  return std::string(wire->first.view()) + std::string(wire->rest);
}

TEST(FramingTest, GetIsFramedToTheByte) {
  EXPECT_EQ(Wire(OutgoingRequestPeer::Make({.method = "GET", .path = "/device/a b", .query = {{"size", "1"}}},
                                           "LMv1 a:b:1", "r1")),
            "GET /santaba/rest/device/a%20b?size=1 HTTP/1.1\r\n"
            "Host: acme.logicmonitor.com\r\n"
            "User-Agent: lmbroker/" LMBROKER_VERSION
            "\r\n"
            "X-Version: 3\r\n"
            "Accept: application/json\r\n"
            "Content-Type: application/json\r\n"
            "X-Request-Id: r1\r\n"
            "Authorization: LMv1 a:b:1\r\n\r\n");
}

TEST(FramingTest, CallersHeadersReplaceTheDefaults) {
  const std::string wire = Wire(OutgoingRequestPeer::Make(
      {.method = "PUT",
       .path = "/a",
       .headers = {{"accept", "text/csv"}, {"X-REQUEST-ID", "mine"}, {"content-type", "a/b"}}}));
  EXPECT_THAT(wire, AllOf(HasSubstr("\r\nAccept: text/csv\r\n"), HasSubstr("\r\nX-Request-Id: mine\r\n"),
                          HasSubstr("\r\nContent-Type: a/b\r\n"), Not(HasSubstr("application/json"))));
}

TEST(FramingTest, PortIsNamedUnlessItIsTheUsualOne) {
  EXPECT_THAT(Wire(OutgoingRequestPeer::Get(), Portal(8443)), HasSubstr("\r\nHost: acme.logicmonitor.com:8443\r\n"));
}

TEST(FramingTest, LengthIsSaidWhereAServerExpectsABody) {
  for (const std::string method : {"POST", "PUT", "PATCH"}) {
    EXPECT_THAT(Wire(OutgoingRequestPeer::Make({.method = method, .path = "/a"})),
                HasSubstr("\r\nContent-Length: 0\r\n"));
  }
  for (const std::string method : {"GET", "DELETE"}) {
    EXPECT_THAT(Wire(OutgoingRequestPeer::Make({.method = method, .path = "/a"})), Not(HasSubstr("Content-Length")));
  }
  EXPECT_THAT(Wire(OutgoingRequestPeer::Make({.method = "DELETE", .path = "/a", .body = "{}"})),
              AllOf(HasSubstr("\r\nContent-Length: 2\r\n"), EndsWith("\r\n\r\n{}")));
}

TEST(FramingTest, IngestSaysAVersionOnlyWhenSet) {
  EXPECT_THAT(Wire(OutgoingRequestPeer::Make({.api = Api::kIngest, .method = "POST", .path = "/log/ingest"})),
              AllOf(StartsWith("POST /rest/log/ingest HTTP/1.1\r\n"), Not(HasSubstr("X-Version"))));
  EXPECT_THAT(Wire(OutgoingRequestPeer::Make({.api = Api::kIngest, .method = "POST", .path = "/a", .api_version = 1})),
              HasSubstr("\r\nX-Version: 1\r\n"));
}

TEST(FramingTest, SmallBodyIsInTheSameBufferAndALargeOneIsNotCopied) {
  const OutgoingRequest small = OutgoingRequestPeer::Post(std::string(1000, 'x'));
  EXPECT_TRUE(Frame(small, Portal())->rest.empty());
  const OutgoingRequest large = OutgoingRequestPeer::Post(std::string(kTlsRecordBytes, 'x'));
  EXPECT_EQ(Frame(large, Portal())->rest.data(), large.request().body().data());
}

TEST(FramingTest, AuthorizationThatCannotStandInAHeaderIsRefused) {
  for (const std::string_view bad : {"Bearer a\r\nHost: evil", "Bearer a\n", "Bearer \x01"}) {
    EXPECT_THAT(Frame(OutgoingRequestPeer::Make({.method = "GET", .path = "/a"}, bad), Portal()),
                RefusedWith(Reason::kInternal));
  }
  EXPECT_THAT(Frame(OutgoingRequestPeer::Make({.method = "GET", .path = "/a"}, "Bearer a", "1\r\n2"), Portal()),
              RefusedWith(Reason::kInternal));
}

}  // namespace
}  // namespace lmbroker::http
