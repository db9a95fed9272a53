#include "service/policy/verb.h"

#include <array>

#include <gtest/gtest.h>

namespace lmbroker::policy {
namespace {

TEST(VerbTest, EveryVerbIsReadByItsOwnName) {
  using enum Verb;
  constexpr std::array kVerbs = {kCreate, kList, kGet, kUpdate, kToggle, kDelete, kRotate};
  for (const Verb verb : kVerbs) EXPECT_EQ(ParseVerb(VerbName(verb)), verb) << VerbName(verb);
}

TEST(VerbTest, NothingElseIsAVerb) {
  for (const char* text : {"", "Create", "CREATE", " create", "create ", "creat", "creates", "enable", "*"}) {
    EXPECT_FALSE(ParseVerb(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace lmbroker::policy
