#include "service/portal/portal_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/fakes/fake_clock.h"

namespace lmbroker::portal {
namespace {

using Verdict = Breaker::Verdict;

Verdict OfStatus(int status) { return VerdictOf({.response = http::Response{.status = status}}, absl::ZeroDuration()); }
Verdict OfRefusal(Reason reason, absl::Duration took = absl::ZeroDuration()) {
  return VerdictOf({.response = Refuse(reason, "Lost.")}, took);
}

TEST(PortalHealthTest, AnswersSayWhetherThePortalIsWell) {
  for (const int status : {200, 202, 301, 400, 401, 403, 404, 429}) EXPECT_EQ(OfStatus(status), Verdict::kAlive);
  for (const int status : {500, 502, 503, 504}) EXPECT_EQ(OfStatus(status), Verdict::kFailed);
}

TEST(PortalHealthTest, NoAnswerIsAFailureOnlyWhenItIsThePortals) {
  EXPECT_EQ(OfRefusal(Reason::kPortalUnreachable), Verdict::kFailed);
  EXPECT_EQ(OfRefusal(Reason::kPortalError), Verdict::kFailed);
  EXPECT_EQ(OfRefusal(Reason::kReplyTooLarge), Verdict::kAlive);
  EXPECT_EQ(OfRefusal(Reason::kQueueFull), Verdict::kNothing);
  EXPECT_EQ(VerdictOf({.response = Cancelled()}, absl::Minutes(1)), Verdict::kNothing);
}

// Else one caller with deadlines of a millisecond could shut the portal off for all.
TEST(PortalHealthTest, ShortDeadlineSaysNothingOfThePortal) {
  EXPECT_EQ(OfRefusal(Reason::kDeadline, absl::Milliseconds(1)), Verdict::kNothing);
  EXPECT_EQ(OfRefusal(Reason::kDeadline, absl::Seconds(5)), Verdict::kFailed);
}

TEST(PortalHealthTest, UnknownPortalsHaveNone) {
  const FakeClock clock;
  const PortalName acme = *PortalName::FromId("acme", "portal");
  const PortalHealths healths(clock, {acme});
  EXPECT_NE(healths.Of(acme), nullptr);
  EXPECT_EQ(healths.Of(*PortalName::FromId("other", "portal")), nullptr);
}

}  // namespace
}  // namespace lmbroker::portal
