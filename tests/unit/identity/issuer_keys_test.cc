#include "service/identity/issuer_keys.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

TEST(IssuerKeysTest, ThereAreNoneBeforeTheFirst) {
  IssuerKeys keys;
  EXPECT_EQ(keys.Get(), nullptr);
  EXPECT_EQ(keys.error(), "");
}

TEST(IssuerKeysTest, ABadSetKeepsTheOldOneAndSaysWhy) {
  IssuerKeys keys;
  const std::string good = TokenKey::P256("k").jwks();
  ASSERT_THAT(keys.Take(good), IsOk());
  const auto before = keys.generation();
  EXPECT_FALSE(keys.Take("{}").ok());
  EXPECT_NE(keys.Get()->Find("k"), nullptr);
  EXPECT_NE(keys.error(), "");
  EXPECT_EQ(keys.generation(), before);
  ASSERT_THAT(keys.Take(good), IsOk());
  EXPECT_EQ(keys.error(), "");
}

TEST(IssuerKeysTest, OnlyAnotherSetIsAnotherGeneration) {
  IssuerKeys keys;
  const std::string first = TokenKey::P256("k").jwks();
  ASSERT_THAT(keys.Take(first), IsOk());
  const auto before = keys.generation();
  ASSERT_THAT(keys.Take(first), IsOk());
  EXPECT_EQ(keys.generation(), before);
  ASSERT_THAT(keys.Take(TokenKey::P256("k").jwks()), IsOk());
  EXPECT_NE(keys.generation(), before);
}

}  // namespace
}  // namespace lmbroker::identity
