#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/core/custody.h"
#include "service/crypto/key_holder.h"
#include "service/crypto/key_ring.h"
#include "service/crypto/key_ring_file.h"
#include "service/crypto/ring_changes.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/memory_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::core {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::string_view kSecret = "lmb_the-secret-of-number-";

// A custody over a real key ring file. Credential `c0`, `c1`, … each with a secret of its own.
class CustodyLockTest : public testing::Test {
 protected:
  CustodyLockTest() {
    EXPECT_THAT(crypto::KeyRing::CreateFile(ring_, random_, clock_.Now()), IsOk());
    keys_.Set(Ring());
    Reopen();
  }

  static CredentialName Name(int number) {
    return *CredentialName::FromId(*PortalName::FromId("acme", "portal"), fmt::format("c{}", number), "credential");
  }
  static std::string SecretOf(int number) { return fmt::format("{}{}", kSecret, number); }

  absl::Status Import(int number) {
    return custody_->Import(
        {.name = Name(number), .type = TokenType::kBearer, .create_time = clock_.Now(), .secret = {}},
        Secret(SecretOf(number)));
  }
  void ImportMany(int count) {
    for (int i = 0; i < count; ++i) ASSERT_THAT(Import(i), IsOk());
  }

  // The ring as the file has it now.
  std::shared_ptr<const crypto::KeyRing> Ring() {
    return std::make_shared<const crypto::KeyRing>(*crypto::KeyRing::Load(ring_, random_));
  }
  void Change(absl::FunctionRef<absl::Status(crypto::RingContent&)> change) {
    ASSERT_THAT(crypto::ChangeKeyRingFile(ring_, [] { return Secret(); }, random_, change), IsOk());
  }
  void AddAndPromote() {
    Change([this](auto& ring) { return crypto::AddKey(ring, random_, clock_.Now()).status(); });
    Change([](auto& ring) { return crypto::PromoteKey(ring, std::nullopt).status(); });
  }
  void Retire(std::uint32_t version) {
    Change([version](auto& ring) { return crypto::RetireKey(ring, version); });
  }
  // As a reload or Unseal does.
  absl::Status Unlock() {
    const auto ring = Ring();
    return custody_->Unlock(crypto::Envelope(*ring, random_), [&] {
      keys_.Set(ring);
      return absl::OkStatus();
    });
  }
  void Lock() {
    custody_->Lock([this] { keys_.Set(nullptr); });
  }

  void Reopen() { custody_ = *Custody::Open(store_, envelope_, clock_); }
  absl::Status Rewrap() { return custody_->Rewrap(keys_.PrimaryVersion(), 1000); }
  int Behind() const {
    const Custody::Wrapped wrapped = custody_->WrappedWith(keys_.PrimaryVersion());
    return wrapped.total - wrapped.done;
  }
  void ExpectAllUsable(int count) {
    for (int i = 0; i < count; ++i) {
      const auto entry = custody_->Lookup(Name(i));
      ASSERT_THAT(entry, IsOk());
      EXPECT_EQ((*entry)->key.secret.Reveal(), SecretOf(i));
    }
  }

  FakeClock clock_;
  FakeRandom random_;
  TempDir directory_;
  const std::string ring_ = directory_ / "keyring.json";
  crypto::KeyHolder keys_;
  crypto::Envelope envelope_{keys_, random_};
  MemoryStore store_;
  std::unique_ptr<Custody> custody_;
};

TEST_F(CustodyLockTest, LockedCustodyDescribesAndUsesNothing) {
  ImportMany(2);
  Lock();
  EXPECT_TRUE(custody_->locked());
  EXPECT_THAT(custody_->Lookup(Name(0)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(custody_->Find(Name(0)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(Import(7), RefusedWith(Reason::kSealed));
  for (const TokenStatus status : {TokenStatus::kEnabled, TokenStatus::kDisabled}) {
    EXPECT_THAT(custody_->SetStatus(Name(0), status), RefusedWith(Reason::kSealed));
  }
  EXPECT_THAT(custody_->Remove(Name(0)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(custody_->ForgetToken({{Name(0).portal(), 1}, 2}), RefusedWith(Reason::kSealed));
  EXPECT_THAT(custody_->Lookup(Name(7)), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(custody_->Describe(Name(0)), IsOk());
  EXPECT_EQ(custody_->List(std::nullopt).size(), 2U);
  EXPECT_TRUE(custody_->Has(Name(1)));
  EXPECT_THAT(custody_->SaveUses(), IsOk());
}

TEST_F(CustodyLockTest, EveryKeyIsWipedOnceTheCallsInFlightHaveEnded) {
  ImportMany(3);
  auto in_flight = *custody_->Lookup(Name(1));
  EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 3);
  Lock();
  EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 1);
  EXPECT_EQ(in_flight->key.secret.Reveal(), SecretOf(1));
  EXPECT_FALSE(in_flight->recalled.stop_requested());
  custody_->Recall();
  EXPECT_TRUE(in_flight->recalled.stop_requested());
  in_flight.reset();
  EXPECT_EQ(custody_->WaitUntilWiped(absl::Minutes(1)), 0);
}

TEST_F(CustodyLockTest, UnlockedAgainNothingIsRecalled) {
  ImportMany(2);
  Lock();
  custody_->Recall();
  ASSERT_THAT(Unlock(), IsOk());
  ExpectAllUsable(2);
  EXPECT_FALSE((*custody_->Lookup(Name(0)))->recalled.stop_requested());
  EXPECT_THAT(Import(2), IsOk());
  EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 3);
}

TEST_F(CustodyLockTest, StartedLockedItOpensLikeAnyOther) {
  ImportMany(3);
  custody_ = *Custody::OpenLocked(store_, envelope_, clock_);
  EXPECT_TRUE(custody_->locked());
  EXPECT_EQ(custody_->List(std::nullopt).size(), 3U);
  EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 0);
  EXPECT_THAT(custody_->Lookup(Name(0)), RefusedWith(Reason::kSealed));
  ASSERT_THAT(Unlock(), IsOk());
  ExpectAllUsable(3);
}

// One record does not open: not one of the others is opened either.
TEST_F(CustodyLockTest, WrongRingNeverHalfOpens) {
  ImportMany(2);
  AddAndPromote();
  ASSERT_THAT(Unlock(), IsOk());
  ASSERT_THAT(Import(2), IsOk());
  Lock();
  Retire(1);
  EXPECT_THAT(Unlock(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                 AllOf(HasSubstr("lacks version 1"), HasSubstr("credentials/c0"),
                                       HasSubstr("credentials/c1"), testing::Not(HasSubstr("credentials/c2")))));
  EXPECT_TRUE(custody_->locked());
  EXPECT_EQ(keys_.Get(), nullptr);
  EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 0);
  EXPECT_THAT(custody_->Lookup(Name(2)), RefusedWith(Reason::kSealed));
}

TEST_F(CustodyLockTest, ReloadOfARingThatLacksAKeyKeepsTheOldOne) {
  ImportMany(1);
  AddAndPromote();
  Retire(1);
  const auto before = keys_.Get();
  EXPECT_THAT(Unlock(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("version 1")));
  EXPECT_EQ(keys_.Get(), before);
  ExpectAllUsable(1);
  EXPECT_THAT(Import(1), IsOk());
}

TEST_F(CustodyLockTest, ManyThatDoNotOpenAreCountedAndSomeAreNamed) {
  ImportMany(50);
  AddAndPromote();
  Retire(1);
  const std::string message(Unlock().message());
  EXPECT_THAT(message, AllOf(HasSubstr("50 credentials"), HasSubstr("and 45 more")));
  EXPECT_LT(message.size(), 500U);
}

TEST_F(CustodyLockTest, FailingStoreUnlocksNothing) {
  ImportMany(2);
  Lock();
  store_.FailAfter(0);
  EXPECT_THAT(Unlock(), RefusedWith(Reason::kStoreUnavailable));
  EXPECT_TRUE(custody_->locked());
  EXPECT_THAT(Unlock(), IsOk());
}

TEST_F(CustodyLockTest, AfterAPromotionEveryRecordIsWrappedAgain) {
  ImportMany(5);
  const auto before = *store_.GetCredential(Name(3));
  AddAndPromote();
  ASSERT_THAT(Unlock(), IsOk());
  EXPECT_EQ(Behind(), 5);
  ASSERT_THAT(Rewrap(), IsOk());
  EXPECT_EQ(Behind(), 0);
  const auto after = *store_.GetCredential(Name(3));
  EXPECT_EQ(after.secret.key_version, 2U);
  EXPECT_EQ(after.version, before.version);
  ExpectAllUsable(5);
  Retire(1);
  ASSERT_THAT(Unlock(), IsOk());
  Reopen();
  ExpectAllUsable(5);
}

// A kill between any two steps: what is in the store is enough to open everything and to go on.
TEST_F(CustodyLockTest, RewrapGoesOnAfterAnEndAtAnyStep) {
  constexpr int kCount = 4;
  ImportMany(kCount);
  for (int step = 0; step < 2 * kCount; ++step) {
    AddAndPromote();
    ASSERT_THAT(Unlock(), IsOk());
    store_.FailAfter(step, 1000);
    EXPECT_FALSE(Rewrap().ok());
    store_.FailAfter(0, 0);
    Reopen();
    ExpectAllUsable(kCount);
    EXPECT_EQ(Behind(), kCount - step / 2);
    ASSERT_THAT(Rewrap(), IsOk());
    EXPECT_EQ(Behind(), 0);
    ExpectAllUsable(kCount);
  }
}

TEST_F(CustodyLockTest, RewrapDoesAsManyAsItIsToldTo) {
  ImportMany(5);
  AddAndPromote();
  ASSERT_THAT(Unlock(), IsOk());
  for (const int left : {3, 1, 0, 0}) {
    EXPECT_THAT(custody_->Rewrap(keys_.PrimaryVersion(), 2), IsOk());
    EXPECT_EQ(Behind(), left);
  }
}

TEST_F(CustodyLockTest, LockedCustodyWrapsNothing) {
  ImportMany(1);
  AddAndPromote();
  ASSERT_THAT(Unlock(), IsOk());
  Lock();
  EXPECT_THAT(custody_->Rewrap(2, 10), IsOk());
  EXPECT_EQ(store_.GetCredential(Name(0))->secret.key_version, 1U);
}

// What changes in the store while the custody is locked (which only somebody else could do) is seen as it is verified.
TEST_F(CustodyLockTest, UnlockedCustodyHasWhatTheStoreHas) {
  ImportMany(2);
  Lock();
  auto record = *store_.GetCredential(Name(0));
  record.status = TokenStatus::kDisabled;
  ASSERT_THAT(custody_->Unlock(crypto::Envelope(*Ring(), random_),
                               [&] {
                                 keys_.Set(Ring());
                                 return store_.UpdateCredential(record);
                               }),
              IsOk());
  EXPECT_THAT(custody_->Lookup(Name(0)), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_THAT(custody_->Lookup(Name(1)), IsOk());
}

TEST_F(CustodyLockTest, RefusedCommitUnlocksNothing) {
  ImportMany(1);
  Lock();
  const auto ring = Ring();
  EXPECT_THAT(custody_->Unlock(crypto::Envelope(*ring, random_), [] { return absl::InternalError("no"); }),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_TRUE(custody_->locked());
  EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 0);
}

TEST_F(CustodyLockTest, OneRecordThatDoesNotUnwrapKeepsNoOtherBack) {
  ImportMany(3);
  auto damaged = *store_.GetCredential(Name(1));
  damaged.secret.bytes[20] = static_cast<char>(damaged.secret.bytes[20] ^ 1);
  AddAndPromote();
  ASSERT_THAT(Unlock(), IsOk());
  ASSERT_THAT(store_.UpdateCredential(damaged), IsOk());
  EXPECT_THAT(Rewrap(), RefusedWith(Reason::kInternal));
  EXPECT_EQ(Behind(), 1);
  EXPECT_EQ(store_.GetCredential(Name(2))->secret.key_version, 2U);
  EXPECT_EQ(store_.GetCredential(Name(1))->secret, damaged.secret);
}

TEST_F(CustodyLockTest, ChangesBetweenTwoRewrapsAreKept) {
  ImportMany(2);
  AddAndPromote();
  ASSERT_THAT(Unlock(), IsOk());
  ASSERT_THAT(custody_->SetStatus(Name(0), TokenStatus::kDisabled), IsOk());
  ASSERT_THAT(custody_->Remove(Name(1)), IsOk());
  ASSERT_THAT(Rewrap(), IsOk());
  EXPECT_EQ(store_.GetCredential(Name(0))->status, TokenStatus::kDisabled);
  EXPECT_EQ(store_.GetCredential(Name(0))->secret.key_version, 2U);
  EXPECT_THAT(store_.GetCredential(Name(1)), RefusedWith(Reason::kUnknownCredential));
  Reopen();
  EXPECT_THAT(custody_->Lookup(Name(0)), RefusedWith(Reason::kCredentialDisabled));
}

}  // namespace
}  // namespace lmbroker::core
