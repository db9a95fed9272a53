#include "service/core/caller_rates.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {
namespace {

TEST(CallerRatesTest, TheLimitHoldsForEveryMinuteAndForEachCaller) {
  FakeClock clock;
  CallerRates rates(clock);
  EXPECT_THAT(rates.Admit("a", 2), IsOk());
  clock.Advance(absl::Seconds(30));
  EXPECT_THAT(rates.Admit("a", 2), IsOk());
  EXPECT_THAT(rates.Admit("a", 2), RefusedWith(Reason::kCallerLimit));
  EXPECT_THAT(rates.Admit("b", 2), IsOk());
  clock.Advance(absl::Seconds(30));
  EXPECT_THAT(rates.Admit("a", 2), IsOk());
  EXPECT_THAT(rates.Admit("a", 2), RefusedWith(Reason::kCallerLimit));
}

TEST(CallerRatesTest, WithoutALimitNothingIsRefused) {
  FakeClock clock;
  CallerRates rates(clock);
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(rates.Admit("a", std::nullopt), IsOk());
}

TEST(CallerRatesTest, LowerLimitAfterAReloadHoldsAtOnce) {
  FakeClock clock;
  CallerRates rates(clock);
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(rates.Admit("a", 10), IsOk());
    clock.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(rates.Admit("a", 2), RefusedWith(Reason::kCallerLimit));
  clock.Advance(absl::Seconds(57));  // eight have left
  EXPECT_THAT(rates.Admit("a", 2), RefusedWith(Reason::kCallerLimit));
  clock.Advance(absl::Seconds(1));
  EXPECT_THAT(rates.Admit("a", 2), IsOk());
}

}  // namespace
}  // namespace lmbroker::core
