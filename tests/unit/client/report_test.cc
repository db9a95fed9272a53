#include "client/cli/report.h"

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"

namespace lmbroker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Said {
  ExitCode code;
  std::string text;
};

Said Say(const absl::Status& failure) {
  std::ostringstream err;
  const ExitCode code = Report(failure, err);
  return {code, err.str()};
}

TEST(ReportTest, RefusalSaysSentenceReasonFactsAndNextStep) {
  const Said said = Say(Refuse(Reason::kBudgetExhausted, "The portal allows no more calls.",
                               {.metadata = {{"portal", "portals/acme"}}, .retry_after = absl::Seconds(3)}));
  EXPECT_EQ(said.code, kRefused);
  EXPECT_EQ(said.text,
            "refused: The portal allows no more calls.\n"
            "reason:  BUDGET_EXHAUSTED\n"
            "portal:  portals/acme\n"
            "next:    Call less often: the portal's rate limit is used up. Wait 3s.\n");
}

TEST(ReportTest, RefusalCannotWriteToTheTerminal) {
  const Said said =
      Say(Refuse(Reason::kPortalRejected, "bad \x1b[2J note", {.metadata = {{"error_message", "\x1b]0;x\x07"}}}));
  EXPECT_THAT(said.text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(said.text, Not(HasSubstr("\x07")));
}

TEST(ReportTest, UnavailableRefusalIsARefusal) {
  EXPECT_EQ(Say(Refuse(Reason::kDraining, "The broker stops.")).code, kRefused);
}

TEST(ReportTest, MissingBrokerSaysWhatToCheck) {
  const Said said = Say(absl::UnavailableError("The broker at x was not reached: refused"));
  EXPECT_EQ(said.code, kNotReached);
  EXPECT_THAT(said.text, HasSubstr("--address"));
}

TEST(ReportTest, FailureWithoutReasonSaysItsCode) {
  const Said said = Say(absl::UnimplementedError(""));
  EXPECT_EQ(said.code, kRefused);
  EXPECT_THAT(said.text, HasSubstr("UNIMPLEMENTED"));
  EXPECT_THAT(Say(absl::DeadlineExceededError("Deadline Exceeded")).text, HasSubstr("--timeout"));
}

TEST(ReportTest, EveryReasonOfTheBrokerHasANextStep) {
  const std::string_view general = NextStep("SOMETHING_NEW");
  EXPECT_FALSE(general.empty());
  for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(NextStep(ReasonName(reason)) == general, reason == Reason::kInternal) << ReasonName(reason);
  }
}

}  // namespace
}  // namespace lmbroker::cli
