#include "service/crypto/transit_key_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/crypto/fake_transit.h"

namespace lmbroker::crypto {
namespace {

class TransitKeySourceTest : public testing::Test {
 protected:
  FakeTransit transit_;
  FakeClock clock_;
  FakeRandom random_;
  TransitKeySource source_{transit_.options(), clock_, random_};
};

TEST_F(TransitKeySourceTest, OpensOnlyWhatWorks) {
  transit_.status = 503;
  EXPECT_THAT(source_.Open({}), RefusedWith(Reason::kStoreUnavailable));
  transit_.status = 200;
  const auto keys = source_.Open({});
  ASSERT_THAT(keys, IsOk());
  EXPECT_EQ(keys->wrapper->PrimaryVersion(), 1U);
  EXPECT_FALSE(keys->has_place_for_audit_key);
  EXPECT_FALSE(keys->audit_seed.has_value());
}

TEST_F(TransitKeySourceTest, RotationAtTheServerIsNoticedWithinAMinute) {
  const auto keys = source_.Open({});
  transit_.version = 2;
  source_.Poll();
  EXPECT_EQ(keys->wrapper->PrimaryVersion(), 1U);
  clock_.Advance(absl::Minutes(1));
  source_.Poll();
  EXPECT_EQ(keys->wrapper->PrimaryVersion(), 2U);
}

TEST_F(TransitKeySourceTest, ForgottenItAsksNobody) {
  ASSERT_THAT(source_.Open({}), IsOk());
  source_.Forget();
  const int asked = transit_.asked;
  clock_.Advance(absl::Hours(1));
  source_.Poll();
  EXPECT_EQ(transit_.asked, asked);
}

TEST_F(TransitKeySourceTest, TokenAndAuthoritiesAreItsFiles) { EXPECT_EQ(source_.files().size(), 2U); }

}  // namespace
}  // namespace lmbroker::crypto
