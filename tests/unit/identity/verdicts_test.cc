#include "service/identity/verdicts.h"

#include <string>

#include <gtest/gtest.h>

#include "service/identity/bad_token.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::identity {
namespace {

class VerdictsTest : public ::testing::Test {
 protected:
  static crypto::Digest Token(int number) { return crypto::Sha256(std::to_string(number)); }
  void Add(int number, Verdicts::Until until) {
    verdicts_.Add(Token(number), std::make_shared<const ServiceAccount>(ServiceAccount{.identity = "k8s:a/b"}), until);
  }

  FakeClock clock_;
  Verdicts verdicts_{clock_};
};

TEST_F(VerdictsTest, AVerdictCountsUntilItsTimeAndNoLonger) {
  Add(1, {.time = clock_.Now() + absl::Seconds(10)});
  clock_.Advance(absl::Seconds(9));
  ASSERT_NE(verdicts_.Find(Token(1)), nullptr);
  EXPECT_EQ((**verdicts_.Find(Token(1)))->identity, "k8s:a/b");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(verdicts_.Find(Token(1)), nullptr);
}

TEST_F(VerdictsTest, AClockThatIsSetBackProlongsNothingThatCountsBySeconds) {
  Add(1, {.time = clock_.Now() + absl::Hours(1), .monotonic = clock_.Monotonic() + absl::Seconds(10)});
  clock_.StepTo(clock_.Now() - absl::Hours(10));
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(verdicts_.Find(Token(1)), nullptr);
}

TEST_F(VerdictsTest, RefusalsAreRememberedToo) {
  verdicts_.Add(Token(1), BadToken("is bad"), {.time = absl::InfiniteFuture()});
  ASSERT_NE(verdicts_.Find(Token(1)), nullptr);
  EXPECT_THAT(*verdicts_.Find(Token(1)), RefusedWith(Reason::kBadToken));
}

TEST_F(VerdictsTest, TheirNumberIsBoundedAndWhatIsUsedStays) {
  const Verdicts::Until until{.time = absl::InfiniteFuture()};
  for (int i = 0; i < 10'000; ++i) {
    Add(i, until);
    ASSERT_NE(verdicts_.Find(Token(0)), nullptr) << i;
  }
  int kept = 0;
  for (int i = 0; i < 10'000; ++i) kept += verdicts_.Find(Token(i)) == nullptr ? 0 : 1;
  EXPECT_LE(kept, 4096);
  EXPECT_GE(kept, 2048);
}

TEST_F(VerdictsTest, ClearForgetsAll) {
  for (int i = 0; i < 3000; ++i) Add(i, {.time = absl::InfiniteFuture()});
  verdicts_.Clear();
  for (int i = 0; i < 3000; ++i) EXPECT_EQ(verdicts_.Find(Token(i)), nullptr);
}

}  // namespace
}  // namespace lmbroker::identity
