#include "service/crypto/transit_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/crypto/fake_transit.h"

namespace lmbroker::crypto {
namespace {

class TransitKeysTest : public testing::Test {
 protected:
  FakeTransit transit_;
  FakeClock clock_;
  FakeRandom random_;
  TransitKeys keys_{transit_.options(), clock_, random_};
  const Secret data_key_{"a data key of thirty-two bytes.."};
};

TEST_F(TransitKeysTest, WrapsAndUnwrapsWithTheSameAssociatedData) {
  const auto wrapped = keys_.Wrap(data_key_, "bound");
  ASSERT_THAT(wrapped, IsOk());
  EXPECT_EQ(wrapped->key_version, 1U);
  EXPECT_EQ(keys_.PrimaryVersion(), 1U);
  const TransitKeys others(transit_.options(), clock_, random_);
  EXPECT_TRUE(*others.Unwrap(*wrapped, "bound") == data_key_);
  EXPECT_THAT(others.Unwrap(*wrapped, "other"), RefusedWith(Reason::kInternal));
}

TEST_F(TransitKeysTest, VersionBesideTheCiphertextMustAgreeWithIt) {
  auto wrapped = *keys_.Wrap(data_key_, "bound");
  wrapped.key_version = 2;
  EXPECT_THAT(keys_.Unwrap(wrapped, "bound"), RefusedWith(Reason::kInternal));
}

TEST_F(TransitKeysTest, WhatWasUnwrappedIsKeptForAWhile) {
  const auto wrapped = *keys_.Wrap(data_key_, "bound");
  const int asked = transit_.asked;
  EXPECT_TRUE(*keys_.Unwrap(wrapped, "bound") == data_key_);
  EXPECT_EQ(transit_.asked, asked);
  EXPECT_THAT(keys_.Unwrap(wrapped, "other"), RefusedWith(Reason::kInternal)) << "kept for its own data alone";
  clock_.Advance(absl::Minutes(5));
  EXPECT_TRUE(*keys_.Unwrap(wrapped, "bound") == data_key_);
  EXPECT_EQ(transit_.asked, asked + 2);
}

TEST_F(TransitKeysTest, WhatIsKeptIsBounded) {
  TransitKeys::Options options = transit_.options();
  options.most_cached = 2;
  const TransitKeys keys(options, clock_, random_);
  const auto first = *keys.Wrap(data_key_, "1");
  ASSERT_THAT(keys.Wrap(data_key_, "2"), IsOk());
  ASSERT_THAT(keys.Wrap(data_key_, "3"), IsOk());
  const int asked = transit_.asked;
  ASSERT_THAT(keys.Unwrap(first, "1"), IsOk());
  EXPECT_EQ(transit_.asked, asked + 1);
}

TEST_F(TransitKeysTest, ServerThatDoesNotServeIsUnavailable) {
  for (const int status : {403, 404, 429, 500, 503, 301}) {
    transit_.status = status;
    EXPECT_THAT(keys_.Wrap(data_key_, "bound"), RefusedWith(Reason::kStoreUnavailable)) << status;
    EXPECT_THAT(keys_.Probe(), RefusedWith(Reason::kStoreUnavailable)) << status;
  }
  transit_.status = 200;
  transit_.WriteToken("another");
  EXPECT_THAT(keys_.Wrap(data_key_, "bound"), RefusedWith(Reason::kStoreUnavailable));
  transit_.WriteToken("a-token");
  EXPECT_THAT(keys_.Probe(), IsOk());
}

}  // namespace
}  // namespace lmbroker::crypto
