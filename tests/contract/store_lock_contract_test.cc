// What every Store promises of the store's lock, its own secrets and settings.

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/store/store_key.h"
#include "tests/contract/store_contract.h"
#include "tests/fakes/one_key_wrapper.h"

namespace lmbroker::store {
namespace {

TEST_P(StoreContract, LockedStoreIsReadAndNotChanged) {
  Create("marker", token_, reader_);
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  ASSERT_THAT(store_->PutSetting("a", "1"), IsOk());
  const auto before = Everything();
  store_->Lock();
  EXPECT_THAT(store_->InsertCredential(MakeCredential(Credential("acme", "new"))), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->UpdateCredential(MakeCredential(reader_)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->DeleteCredential(reader_), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->DeleteToken(token_), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->BeginCreate(MakeIntent("next", token_.admin(), reader_), std::nullopt),
              RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->EndCreate("marker", CreatePhase::kFinished), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->BeginRotation(MakeRotation("m", reader_, token_)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->EndRotation("m"), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->ReplaceSealedValue({.name = "b", .secret = {}}), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->PutSealedValue({.name = "b", .secret = {}}), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->PutSetting("a", "2"), RefusedWith(Reason::kSealed));
  EXPECT_EQ(Everything(), before);
  EXPECT_THAT(store_->GetSetting("a"), IsOkAndHolds(std::optional<std::string>("1")));

  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  EXPECT_EQ(Everything(), before);
  EXPECT_THAT(store_->DeleteToken(token_), IsOk());
}

TEST_P(StoreContract, StoreOfAnotherKeyRingStaysLocked) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  EXPECT_THAT(store_->Unlock(TestEnvelope(/*seed=*/2)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->InsertCredential(MakeCredential(reader_)), RefusedWith(Reason::kSealed));
}

TEST_P(StoreContract, StoreKeyIsAmongTheSealedValues) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  const SealedValue value{.name = "audit key", .secret = {.bytes = std::string("\0\xff", 2), .key_version = 7}};
  ASSERT_THAT(store_->PutSealedValue(value), IsOk());
  const auto values = store_->ListSealedValues();
  ASSERT_THAT(values, IsOk());
  ASSERT_EQ(values->size(), 2U);
  EXPECT_EQ(values->front(), value);
  EXPECT_EQ(values->back().name, StoreKey::kName);
  EXPECT_THAT(static_cast<const crypto::Envelope&>(TestEnvelope())
                  .Open(values->back().secret, crypto::ValueBinding{StoreKey::kName}),
              IsOk());
}

TEST_P(StoreContract, StoreKeyThatIsWrappedAgainStillOpens) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  const TestEnvelope next(/*seed=*/2);
  constexpr crypto::ValueBinding kBinding{StoreKey::kName};
  const TestEnvelope old;
  const crypto::Envelope& old_ring = old;
  const crypto::Envelope& new_ring = next;
  const auto key = old_ring.Open(store_->ListSealedValues()->front().secret, kBinding);
  ASSERT_THAT(key, IsOk());
  ASSERT_THAT(store_->PutSealedValue({.name = std::string(StoreKey::kName), .secret = *new_ring.Seal(*key, kBinding)}),
              IsOk());
  EXPECT_THAT(store_->Unlock(next), IsOk());
  EXPECT_THAT(store_->Unlock(TestEnvelope()), RefusedWith(Reason::kSealed));
}

TEST_P(StoreContract, SettingsComeBackUntilTheyAreUnset) {
  EXPECT_THAT(store_->GetSetting("sealed"), IsOkAndHolds(std::optional<std::string>()));
  ASSERT_THAT(store_->PutSetting("sealed", "yes"), IsOk());
  ASSERT_THAT(store_->PutSetting("sealed", std::string("n\0", 2)), IsOk());
  EXPECT_THAT(store_->GetSetting("sealed"), IsOkAndHolds(std::optional(std::string("n\0", 2))));
  ASSERT_THAT(store_->PutSetting("sealed", std::nullopt), IsOk());
  ASSERT_THAT(store_->PutSetting("sealed", std::nullopt), IsOk());
  EXPECT_THAT(store_->GetSetting("sealed"), IsOkAndHolds(std::optional<std::string>()));
}

}  // namespace
}  // namespace lmbroker::store
