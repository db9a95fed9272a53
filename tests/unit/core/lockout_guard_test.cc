#include "service/core/lockout_guard.h"

#include <memory>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {
namespace {

using Change = LockoutGuard::Change;
using Verdict = LockoutGuard::Verdict;

class LockoutGuardTest : public testing::Test {
 protected:
  std::optional<absl::StatusOr<LockoutGuard::Pass>> Admit(LockoutGuard::Waker waker = nullptr) {
    return guard_.Admit(now_, std::move(waker));
  }
  // One call with this end.
  Change Call(Verdict verdict) {
    auto pass = Admit();
    EXPECT_TRUE(pass.has_value() && pass->ok());
    return (*pass)->End(verdict, now_);
  }
  void Quarantine() {
    for (int i = 0; i < 3; ++i) Call(Verdict::kRefused);
    ASSERT_TRUE(guard_.quarantined());
  }

  absl::Duration now_ = absl::Hours(1);
  LockoutGuard guard_{*CredentialName::Parse("portals/acme/credentials/reader", "name")};
};

TEST_F(LockoutGuardTest, ThreeConsecutiveRefusalsQuarantine) {
  Call(Verdict::kRefused);
  Call(Verdict::kRefused);
  Call(Verdict::kTaken);
  EXPECT_EQ(Call(Verdict::kRefused), Change::kNone);
  EXPECT_EQ(Call(Verdict::kRefused), Change::kNone);
  EXPECT_EQ(Call(Verdict::kRefused), Change::kQuarantined);
  EXPECT_THAT(guard_.Check(now_), RefusedWith(Reason::kCredentialQuarantined));
  EXPECT_THAT(Admit()->status(), RefusedWith(Reason::kCredentialQuarantined));
}

TEST_F(LockoutGuardTest, StormOfAnUnprovenKeySendsAtMostThree) {
  std::vector<LockoutGuard::Pass> out;
  int woken = 0;
  for (int i = 0; i < 100; ++i) {
    auto pass = Admit([&] { ++woken; });
    if (pass.has_value()) out.push_back(**std::move(pass));
  }
  EXPECT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].End(Verdict::kRefused, now_), Change::kNone);
  EXPECT_EQ(woken, 97);
  EXPECT_FALSE(Admit().has_value());  // two are under way, and two more refusals are what is left
  out[1].End(Verdict::kRefused, now_);
  EXPECT_FALSE(Admit().has_value());
  EXPECT_EQ(out[2].End(Verdict::kRefused, now_), Change::kQuarantined);
  EXPECT_THAT(Admit()->status(), RefusedWith(Reason::kCredentialQuarantined));
}

// Law 7: behind calls that take long, any number may come and give up.
TEST_F(LockoutGuardTest, WhoGivesUpIsForgotten) {
  std::vector<LockoutGuard::Pass> out;
  for (int i = 0; i < 3; ++i) out.push_back(**Admit());
  int woken = 0;
  const int gone = 0;
  const int stays = 0;
  EXPECT_FALSE(guard_.Admit(now_, [&] { ++woken; }, &gone).has_value());
  EXPECT_FALSE(guard_.Admit(now_, [&] { woken += 10; }, &stays).has_value());
  guard_.GiveUp(&gone);
  out[0].End(Verdict::kTaken, now_);
  EXPECT_EQ(woken, 10);
}

TEST_F(LockoutGuardTest, ProvenKeyHasNoLimit) {
  Call(Verdict::kTaken);
  std::vector<LockoutGuard::Pass> out;
  for (int i = 0; i < 100; ++i) out.push_back(**Admit());
  out[0].End(Verdict::kRefused, now_);
  EXPECT_FALSE(Admit().has_value());  // what is under way must tell first
  out.clear();
  EXPECT_TRUE(Admit().has_value());
}

TEST_F(LockoutGuardTest, OneCanaryEachStepAndStepsDouble) {
  Quarantine();
  for (const int seconds : {5, 10, 20, 40, 80, 160, 300, 300}) {
    EXPECT_THAT(guard_.Check(now_ + absl::Seconds(seconds) - absl::Milliseconds(1)),
                RefusedWith(Reason::kCredentialQuarantined));
    EXPECT_EQ(RetryDelayOf(guard_.Check(now_)), absl::Seconds(seconds));
    now_ += absl::Seconds(seconds);
    auto canary = Admit();
    ASSERT_TRUE(canary.has_value() && canary->ok());
    EXPECT_THAT(Admit()->status(), RefusedWith(Reason::kCredentialQuarantined));  // one at a time
    EXPECT_EQ((*canary)->End(Verdict::kRefused, now_), Change::kNone);
  }
}

TEST_F(LockoutGuardTest, SuccessfulCanaryHeals) {
  Quarantine();
  now_ += absl::Seconds(5);
  EXPECT_EQ(Call(Verdict::kTaken), Change::kHealed);
  EXPECT_THAT(guard_.Check(now_), IsOk());
}

TEST_F(LockoutGuardTest, CanaryThatTellsNothingIsFollowedByAnother) {
  Quarantine();
  now_ += absl::Seconds(5);
  EXPECT_EQ(Call(Verdict::kNothing), Change::kNone);
  EXPECT_TRUE(guard_.quarantined());
  EXPECT_EQ(Call(Verdict::kTaken), Change::kHealed);
}

TEST_F(LockoutGuardTest, OperatorHeals) {
  Quarantine();
  guard_.Heal();
  EXPECT_FALSE(guard_.quarantined());
  EXPECT_TRUE(Admit().has_value());
}

TEST_F(LockoutGuardTest, ProbeGoesWhateverTheStateAndHeals) {
  Quarantine();
  auto probe = guard_.Insist();
  EXPECT_EQ(probe.End(Verdict::kTaken, now_), Change::kHealed);
}

TEST_F(LockoutGuardTest, ProbesDoNotPutTheCanaryOff) {
  Quarantine();
  now_ += absl::Seconds(4);
  guard_.Insist().End(Verdict::kRefused, now_);
  now_ += absl::Seconds(1);
  EXPECT_THAT(guard_.Check(now_), IsOk());
}

}  // namespace
}  // namespace lmbroker::core
