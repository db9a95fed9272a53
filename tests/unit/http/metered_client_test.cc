#include "service/http/metered_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/support/outgoing_request_peer.h"

namespace lmbroker::http {
namespace {

using testing::HasSubstr;

TEST(MeteredClientTest, AnswersAndFailuresAreCountedByPortal) {
  FakeClock clock;
  FakeHttpClient portal(clock);
  Metrics metrics({.version = "test", .methods = {}, .portals = {"acme"}});
  MeteredClient client(portal, clock, metrics);
  int ended = 0;
  const auto send = [&] {
    client.Send(OutgoingRequestPeer::Get(), {.deadline = clock.Monotonic() + absl::Seconds(30)},
                [&](const TransferResult&) { ++ended; });
  };
  send();
  portal.Answer({.status = 404});
  send();
  portal.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), Delivery::kMaybeSent);
  EXPECT_EQ(ended, 2);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("{class=\"4xx\",portal=\"acme\"} 1"));
  EXPECT_THAT(text, HasSubstr("{class=\"none\",portal=\"acme\"} 1"));
}

}  // namespace
}  // namespace lmbroker::http
