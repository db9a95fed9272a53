#include "service/core/page_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {
namespace {

TEST(PageTokenTest, OpensForItsQueryOnly) {
  FakeRandom random;
  const PageTokens tokens(random);
  const std::string token = tokens.Seal("41", {"a", "b"});
  EXPECT_THAT(tokens.Open(token, {"a", "b"}), IsOkAndHolds("41"));
  for (const std::vector<std::string>& other :
       {std::vector<std::string>{}, {"a"}, {"ab"}, {"a", "b", ""}, {"b", "a"}, {"a;1:b"}}) {
    EXPECT_THAT(tokens.Open(token, other), RefusedWith(Reason::kFieldInvalid));
  }
}

TEST(PageTokenTest, AnotherProcessCannotUseIt) {
  FakeRandom random;
  const PageTokens tokens(random);
  const PageTokens others(random);
  EXPECT_THAT(others.Open(tokens.Seal("41", {}), {}), RefusedWith(Reason::kFieldInvalid));
}

TEST(PageTokenTest, NoByteCanBeChanged) {
  FakeRandom random;
  const PageTokens tokens(random);
  const std::string token = tokens.Seal("41", {"a"});
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_THAT(tokens.Open(changed, {"a"}), RefusedWith(Reason::kFieldInvalid)) << i;
  }
  EXPECT_THAT(tokens.Open("", {"a"}), RefusedWith(Reason::kFieldInvalid));
}

}  // namespace
}  // namespace lmbroker::core
