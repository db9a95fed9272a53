#include "service/base/issues.h"

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

TEST(IssuesTest, ProblemStandsAtTheLineOfItsValue) {
  Issues issues("policy.yaml");
  issues.SetLine("callers[0].forward[1]", 12);
  issues.SetLine("callers[0].forward[1].pathz", 14);
  issues.Add("callers[0].forward[1].pathz", "unknown key, did you mean paths?");
  ASSERT_EQ(issues.all().size(), 1U);
  EXPECT_EQ(issues.all()[0].ToString(),
            "policy.yaml:14: callers[0].forward[1].pathz: unknown key, did you mean paths?");
}

TEST(IssuesTest, MissingValueStandsAtWhatShouldHoldIt) {
  Issues issues("policy.yaml");
  issues.SetLine("callers[0]", 3);
  issues.Add("callers[0].forward[1].paths[7]", "is missing");
  EXPECT_EQ(issues.all()[0].line, 3);
}

TEST(IssuesTest, ProblemOfTheFileHasNoLine) {
  Issues issues("policy.yaml");
  issues.Add("", "cannot be read");
  issues.Add("listen", "is missing");
  EXPECT_EQ(issues.all()[0].ToString(), "policy.yaml: cannot be read");
  EXPECT_EQ(issues.all()[1].ToString(), "policy.yaml: listen: is missing");
}

TEST(IssuesTest, OnlyTheFirstProblemOfAPathIsKept) {
  Issues issues("f");
  issues.Add("a", "first");
  issues.Add("a", "second");
  issues.Add("", "whole");
  issues.Add("", "whole again");
  EXPECT_EQ(issues.all().size(), 3U);
}

TEST(IssuesTest, TheTextHasALineForEachProblemAndIsBounded) {
  Issues issues("f");
  EXPECT_EQ(issues.Text(), "");
  for (int line = 1; line <= 3; ++line) issues.AddAtLine(line, "is bad");
  EXPECT_EQ(issues.Text(), "f:1: is bad\nf:2: is bad\nf:3: is bad");
  EXPECT_EQ(issues.Text(2), "f:1: is bad\nf:2: is bad\n… and 1 more");
}

TEST(IssuesTest, ProblemsOfANamedFileKeepTheirFile) {
  Issues config("config.yaml");
  Issues policy("policy.yaml");
  policy.AddAtLine(2, "is not UTF-8");
  config.Append(policy);
  EXPECT_EQ(config.all()[0].ToString(), "policy.yaml:2: is not UTF-8");
}

}  // namespace
}  // namespace lmbroker
