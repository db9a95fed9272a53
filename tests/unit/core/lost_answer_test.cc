#include "service/core/lost_answer.h"

#include <array>

#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {
namespace {

using http::Delivery;
using portal::Repeatable;

// Whatever became of the answer, a call that is not repeatable may have happened.
constexpr std::array kLost = {Reason::kPortalUnreachable, Reason::kDeadline, Reason::kPortalError, Reason::kQueueFull};

TEST(LostAnswerTest, WhatThePortalMayHaveDoneIsOfUnknownOutcome) {
  for (const Reason reason : kLost) {
    const absl::Status told = ToldOfLostAnswer(Refuse(reason, "Lost."), Delivery::kMaybeSent, Repeatable::kUnlessSeen);
    EXPECT_THAT(told, RefusedWith(Reason::kOutcomeUnknown));
    EXPECT_EQ(MetadataOf(told)["cause"], ReasonName(reason));
  }
}

TEST(LostAnswerTest, WhatWasNotSentOrMayBeRepeatedIsToldAsItIs) {
  for (const Reason reason : kLost) {
    const absl::Status lost = Refuse(reason, "Lost.");
    EXPECT_EQ(ToldOfLostAnswer(lost, Delivery::kNotSent, Repeatable::kUnlessSeen), lost);
    EXPECT_EQ(ToldOfLostAnswer(lost, Delivery::kMaybeSent, Repeatable::kAlways), lost);
  }
}

TEST(LostAnswerTest, AnEndThatTheCallerMadeStaysOne) {
  EXPECT_EQ(ToldOfLostAnswer(Cancelled(), Delivery::kMaybeSent, Repeatable::kUnlessSeen), Cancelled());
}

}  // namespace
}  // namespace lmbroker::core
