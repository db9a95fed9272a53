#include "service/policy/token_judge.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

TEST(TokenJudgeTest, WordsAreThoseOfThePolicyFile) {
  EXPECT_EQ(TypeWord(TokenType::kLmv1), "LMV1");
  EXPECT_EQ(TypeWord(TokenType::kBearer), "BEARER");
  EXPECT_EQ(OperatorRule({.name = "ops"}), "ops.operator");
}

// What the index gives is judged whole: a grant that does not cover the question decides nothing, wherever it came
// from.
TEST(TokenJudgeTest, GrantsThatDoNotCoverTheQuestionDecideNothing) {
  const TokensGrant grant{.rule = "a.tokens[0]",
                          .portal = Portal("acme"),
                          .admins = {32},
                          .types = {TokenType::kLmv1},
                          .verbs = {Verb::kGet}};
  const std::vector<const TokensGrant*> grants = {&grant};
  const CallerRules caller{.name = "a", .tokens = {grant}};
  const TokenQuestion covered{.verb = Verb::kGet, .portal = Portal("acme"), .admin = 32, .type = TokenType::kLmv1};
  EXPECT_EQ(JudgeTokens(caller, grants, covered).rule, "a.tokens[0]");
  TokenQuestion question = covered;
  question.portal = Portal("globex");
  EXPECT_FALSE(JudgeTokens(caller, grants, question).allowed);
  question = covered;
  question.verb = Verb::kDelete;
  EXPECT_FALSE(JudgeTokens(caller, grants, question).allowed);
  question = covered;
  question.admin = 33;
  EXPECT_FALSE(JudgeTokens(caller, grants, question).allowed);
  question = covered;
  question.type = TokenType::kBearer;
  EXPECT_FALSE(JudgeTokens(caller, grants, question).allowed);
}

}  // namespace
}  // namespace lmbroker::policy
