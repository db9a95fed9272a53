#include "service/core/custody.h"

#include <cstdlib>

#include <fmt/format.h>

#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class CustodyTest : public CoreTest {
 protected:
  absl::Status Import(std::string_view id, std::optional<TokenName> token = std::nullopt) {
    return custody_->Import({.name = Credential(id),
                             .type = TokenType::kBearer,
                             .token = std::move(token),
                             .create_time = clock_.Now(),
                             .secret = {}},
                            Secret("lmb_the-secret-of-a-reader"));
  }
};

TEST_F(CustodyTest, ImportedKeySurvivesARestart) {
  ASSERT_THAT(Import("reader"), IsOk());
  Restart();
  const auto entry = custody_->Lookup(Credential("reader"));
  ASSERT_THAT(entry, IsOk());
  EXPECT_EQ((*entry)->key.secret.Reveal(), "lmb_the-secret-of-a-reader");
  EXPECT_EQ((*entry)->key.type, TokenType::kBearer);
  EXPECT_THAT((*entry)->record.secret.bytes, IsEmpty());
  std::vector<portal::Span> found;
  (*entry)->forms.Search({.text = "x lmb_the-secret-of-a-reader y"}, 0, found);
  EXPECT_THAT(found, ElementsAre(portal::Span{.begin = 2, .end = 28}));
}

TEST_F(CustodyTest, StoreNeverHasTheKeyInClear) {
  ASSERT_THAT(Import("reader"), IsOk());
  EXPECT_EQ(store_.GetCredential(Credential("reader"))->secret.bytes.find("the-secret"), std::string::npos);
}

TEST_F(CustodyTest, NameIsTakenOnce) {
  ASSERT_THAT(Import("reader"), IsOk());
  EXPECT_THAT(Import("reader"), RefusedWith(Reason::kCredentialExists));
}

// A full heap would end the process. In a process of its own: the heap is for the whole process.
class CustodyDeathTest : public CustodyTest {
 protected:
  CustodyDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // the fixture has threads
};

TEST_F(CustodyDeathTest, LockedMemoryIsNeverFilledAndWhatWasTakenInFitsAgain) {
  EXPECT_EXIT(
      {
        ASSERT_THAT(OpenSecureHeap(131072, 131072), IsOk());
        int held = 0;
        while (Import(fmt::format("key-{}", held)).ok()) ++held;
        EXPECT_GT(held, 20);
        EXPECT_THAT(Import("one-more"), RefusedWith(Reason::kTooManyTokens));
        custody_.reset();
        Restart();
        EXPECT_THAT(custody_->Lookup(Credential("key-0")), IsOk());
        EXPECT_THAT(custody_->Remove(Credential("key-1")), IsOk());
        EXPECT_THAT(custody_->Remove(Credential("key-2")), IsOk());
        EXPECT_THAT(Import("one-more"), IsOk());
        std::_Exit(HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(CustodyDeathTest, KeysThatDoNotFitAreSaidAndNothingIsServed) {
  for (int i = 0; i < 100; ++i) ASSERT_THAT(Import(fmt::format("key-{}", i)), IsOk());
  EXPECT_EXIT(
      {
        custody_->Lock([] {});
        ASSERT_THAT(OpenSecureHeap(65536, 65536), IsOk());
        EXPECT_THAT(custody_->Unlock(envelope_, [] { return absl::OkStatus(); }),
                    StatusIs(absl::StatusCode::kFailedPrecondition));
        EXPECT_TRUE(custody_->locked());
        EXPECT_THAT(custody_->Lookup(Credential("key-0")), RefusedWith(Reason::kSealed));
        std::_Exit(HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(CustodyTest, FailedImportIsNotSeen) {
  store_.FailAfter(0);
  EXPECT_THAT(Import("reader"), RefusedWith(Reason::kStoreUnavailable));
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kUnknownCredential));
}

TEST_F(CustodyTest, DisabledAndQuarantinedKeysAreNotGivenOut) {
  ASSERT_THAT(Import("reader"), IsOk());
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kDisabled), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_THAT(custody_->Find(Credential("reader")), IsOk());
  Restart();
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kEnabled), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), IsOk());

  const auto entry = *custody_->Lookup(Credential("reader"));
  for (int i = 0; i < 3; ++i) {
    auto pass = entry->guard->Admit(clock_.Monotonic(), nullptr);
    ASSERT_TRUE(pass.has_value() && pass->ok());
    (*pass)->End(LockoutGuard::Verdict::kRefused, clock_.Monotonic());
  }
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialQuarantined));
  EXPECT_EQ(custody_->Describe(Credential("reader"))->state, store::CredentialState::kQuarantined);
  // Nothing of it is stored; and enabling is an operator's word that the key is good.
  clock_.Advance(absl::Seconds(1));
  ASSERT_THAT(custody_->SaveUses(), IsOk());
  EXPECT_EQ(store_.GetCredential(Credential("reader"))->state, store::CredentialState::kActive);
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialQuarantined));
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kEnabled), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), IsOk());
}

TEST_F(CustodyTest, TokenDisabledAtThePortalDisablesItsCredential) {
  ASSERT_THAT(Import("reader", Token41()), IsOk());
  portal::LmToken token{.id = 41, .admin_id = 32, .status = TokenStatus::kDisabled};
  custody_->LearnTokenStatus(Acme(), {&token, 1});
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_EQ(custody_->Describe(Credential("reader"))->status, TokenStatus::kEnabled);
  // What operators disable, the portal's word does not enable.
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kDisabled), IsOk());
  token.status = TokenStatus::kEnabled;
  custody_->LearnTokenStatus(Acme(), {&token, 1});
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(CustodyTest, CallInFlightKeepsItsKey) {
  ASSERT_THAT(Import("reader"), IsOk());
  const auto entry = *custody_->Lookup(Credential("reader"));
  ASSERT_THAT(custody_->Remove(Credential("reader")), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kUnknownCredential));
  EXPECT_EQ(entry->key.secret.Reveal(), "lmb_the-secret-of-a-reader");
}

TEST_F(CustodyTest, LastUseIsSaved) {
  ASSERT_THAT(Import("reader"), IsOk());
  EXPECT_FALSE(custody_->Describe(Credential("reader"))->last_use_time.has_value());
  clock_.Advance(absl::Hours(1));
  ASSERT_THAT(custody_->Lookup(Credential("reader")), IsOk());
  EXPECT_EQ(custody_->Describe(Credential("reader"))->last_use_time, clock_.Now());
  ASSERT_THAT(custody_->SaveUses(), IsOk());
  Restart();
  EXPECT_EQ(custody_->Describe(Credential("reader"))->last_use_time, clock_.Now());
}

TEST_F(CustodyTest, RecordThatDoesNotOpenStopsTheStartAndIsNamed) {
  ASSERT_THAT(Import("reader"), IsOk());
  ASSERT_THAT(Import("writer"), IsOk());
  // Sealed secrets swapped between two records: neither opens.
  auto reader = *store_.GetCredential(Credential("reader"));
  auto writer = *store_.GetCredential(Credential("writer"));
  std::swap(reader.secret, writer.secret);
  ASSERT_THAT(store_.UpdateCredential(reader), IsOk());
  ASSERT_THAT(store_.UpdateCredential(writer), IsOk());
  const auto custody = Custody::Open(store_, envelope_, clock_);
  EXPECT_THAT(custody, StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr("credentials/reader"), HasSubstr("credentials/writer"))));
}

TEST_F(CustodyTest, ListIsByPortalAndName) {
  ASSERT_THAT(Import("zebra"), IsOk());
  ASSERT_THAT(Import("ant"), IsOk());
  const auto records = custody_->List(Acme());
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0].name.id(), "ant");
  EXPECT_EQ(records[2].name.id(), "zebra");
  EXPECT_THAT(custody_->List(*PortalName::FromId("other", "portal")), IsEmpty());
}

}  // namespace
}  // namespace lmbroker::core
