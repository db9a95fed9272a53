#include "service/core/rotator.h"

#include <thread>

#include "tests/unit/core/rotation_fixture.h"

namespace lmbroker::core {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using Fault = FakePortal::Fault;

class RotatorTest : public RotationTest {
 protected:
  std::vector<store::Rotation> Open() { return *store_.ListRotations(); }
  TokenName TokenOf(std::string_view credential) { return *custody_->Describe(Credential(credential))->token; }
};

TEST_F(RotatorTest, TokenGivesWayToOneOfTheSameUserTypeAndNoteUnderTheSameCredential) {
  const auto rotated = RotateToken(Token41());
  ASSERT_THAT(rotated, IsOk());
  EXPECT_EQ(rotated->retiring, Token41());
  EXPECT_EQ(rotated->token.name, Token41(32, 42));
  EXPECT_EQ(rotated->token.holder, TokenHolder::kBroker);
  EXPECT_EQ(rotated->token.credential, Credential("reader"));
  EXPECT_EQ(rotated->token.lm.note, kNote);
  EXPECT_EQ(rotated->token.lm.status, TokenStatus::kEnabled);

  const auto entry = custody_->Lookup(Credential("reader"));
  ASSERT_THAT(entry, IsOk());
  EXPECT_TRUE(IsTaken((*entry)->key));
  EXPECT_EQ((*entry)->key.access_id, FakePortal::AccessId(42));
  EXPECT_EQ((*entry)->record.version, 2);
  EXPECT_EQ((*entry)->record.state, store::CredentialState::kActive);
  EXPECT_TRUE((*entry)->record.rotate_time.has_value());

  const auto rows = TokensOf(32);
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].status, TokenStatus::kDisabled);
  EXPECT_EQ(rows[0].note, kNote);
  EXPECT_EQ(rows[1].note, kNote);
  EXPECT_EQ(portal_.refusals(), 0);
}

TEST_F(RotatorTest, RetiringTokenIsListedInCustodyWithoutCredentialUntilItIsDeleted) {
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  const auto retiring = store_.GetToken(Token41());
  ASSERT_THAT(retiring, IsOk());
  EXPECT_EQ(retiring->custody, store::TokenCustody::kBroker);
  EXPECT_FALSE(retiring->credential.has_value());
  Pass(RotationSteps::kGrace - absl::Minutes(1));
  EXPECT_THAT(TokensOf(32), SizeIs(2));
  Pass(absl::Minutes(2));
  EXPECT_THAT(TokensOf(32), SizeIs(1));
  EXPECT_THAT(store_.GetToken(Token41()), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), IsOk());
}

TEST_F(RotatorTest, EveryStepIsDurableBeforeTheNextLeaves) {
  std::vector<store::RotationPhase> phases;
  portal_.OnRequest([&](const std::string& line) {
    const auto open = Open();
    if (!open.empty()) phases.push_back(open[0].phase);
    if (line.starts_with("POST")) {
      EXPECT_THAT(line, HasSubstr(open.at(0).marker));
      EXPECT_THAT(line, HasSubstr(R"("status":1)"));
      EXPECT_EQ(store_.GetCredential(Credential("reader"))->state, store::CredentialState::kRotating);
    }
  });
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  using enum store::RotationPhase;
  EXPECT_THAT(phases, testing::ElementsAre(kIntended, kStored, kStored, kPromoted));
  EXPECT_EQ(Open().at(0).phase, kRetiring);
}

TEST_F(RotatorTest, CallInFlightFinishesWithTheOldKeyAndNewOnesHaveTheNewOneAtOnce) {
  auto held = custody_->Lookup(Credential("reader"));
  ASSERT_THAT(held, IsOk());
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  EXPECT_TRUE(IsTaken((*held)->key));
  EXPECT_EQ((*custody_->Lookup(Credential("reader")))->key.access_id, FakePortal::AccessId(42));
  Pass(absl::Minutes(5));
  EXPECT_TRUE(IsTaken((*held)->key));
  EXPECT_EQ(LiveOf(32), 2);
  held = absl::CancelledError();
  Pass(absl::Seconds(15));
  EXPECT_EQ(LiveOf(32), 1);
}

TEST_F(RotatorTest, CallThatNeverEndsDoesNotKeepTheOldTokenForEver) {
  const auto held = custody_->Lookup(Credential("reader"));
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  Pass(absl::Minutes(16));
  EXPECT_EQ(LiveOf(32), 1);
}

TEST_F(RotatorTest, NoThirdTokenIsMadeWhileTheOldOneIsInUse) {
  const auto held = custody_->Lookup(Credential("reader"));
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  EXPECT_THAT(RotateToken(Token41(32, 42)), RefusedWith(Reason::kQueueFull));
  EXPECT_EQ(LiveOf(32), 2);
  EXPECT_EQ(portal_.CountOf("POST"), 2);
}

TEST_F(RotatorTest, RepeatGivesTheSameResultAsLongAsTheOldTokenIsThere) {
  const auto first = RotateToken(Token41());
  const auto again = RotateToken(Token41());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->token.name, first->token.name);
  EXPECT_EQ(again->token.credential, Credential("reader"));
  EXPECT_THAT(TokensOf(32), SizeIs(2));
  Pass(RotationSteps::kGrace * 2);
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kUnknownToken));
}

TEST_F(RotatorTest, CredentialIsRotatedAgainAndAgain) {
  for (int version = 2; version < 12; ++version) {
    const auto rotated = RotateCredential("reader");
    ASSERT_THAT(rotated, IsOk());
    EXPECT_EQ(rotated->version, version);
    EXPECT_EQ(LiveOf(32), 1);
  }
  EXPECT_THAT(TokensOf(32), SizeIs(11));
  Pass(RotationSteps::kGrace * 2);
  EXPECT_THAT(TokensOf(32), SizeIs(1));
}

TEST_F(RotatorTest, MasterIsRotatedWithItsOldKeyAndItsOldTokenRetiredWithTheNewOne) {
  const auto rotated = RotateCredential("root");
  ASSERT_THAT(rotated, IsOk());
  EXPECT_EQ(rotated->token, Token41(33, 42));
  EXPECT_TRUE(rotated->master);
  EXPECT_EQ(LiveOf(33), 1);
  EXPECT_EQ(portal_.refusals(), 0);
  EXPECT_EQ(store_.GetToken(Token41(33, kMasterToken))->custody, store::TokenCustody::kBroker);  // it was imported
  Pass(RotationSteps::kGrace * 2);
  EXPECT_THAT(TokensOf(33), SizeIs(1));
  EXPECT_THAT(RotateToken(Token41()), IsOk());  // the new master manages tokens
}

TEST_F(RotatorTest, KeyThatThePortalDoesNotTakeIsTakenBackAndTheOldOneStays) {
  portal_.RefuseKeysFrom(42);
  for (const std::string_view id : {"reader", "root"}) {
    const auto rotated = RotateCredential(id);
    EXPECT_THAT(rotated, RefusedWith(Reason::kPortalError));
    EXPECT_THAT(rotated.status().ToString(), HasSubstr("does not take the new key"));
    const auto entry = custody_->Lookup(Credential(id));
    ASSERT_THAT(entry, IsOk());
    EXPECT_TRUE(IsTaken((*entry)->key));
    EXPECT_EQ((*entry)->record.version, 1);
    EXPECT_EQ((*entry)->record.state, store::CredentialState::kActive);
  }
  EXPECT_THAT(portal_.tokens(), SizeIs(2));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_THAT(*store_.ListSealedValues(), SizeIs(0));
}

TEST_F(RotatorTest, TokenThatIsUsedOrEnabledWhileItRetiresIsKept) {
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  Pass(absl::Minutes(50));
  portal_.Change(41, [&](FakePortal::Row& row) { row.status = TokenStatus::kEnabled; });
  Pass(absl::Hours(5));
  EXPECT_THAT(TokensOf(32), SizeIs(2));
  portal_.Change(41, [&](FakePortal::Row& row) {
    row.status = TokenStatus::kDisabled;
    row.last_used_on = absl::ToUnixSeconds(clock_.Now());
  });
  Pass(absl::Hours(1) + absl::Minutes(1));
  EXPECT_THAT(TokensOf(32), SizeIs(2));  // that use was noticed, and begins the hour anew
  Pass(absl::Hours(1));
  EXPECT_THAT(TokensOf(32), SizeIs(1));
}

TEST_F(RotatorTest, RetiringTokenThatIsGoneAlreadyIsASuccess) {
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  portal_.RemoveToken(41);
  Pass(RotationSteps::kGrace * 2);
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_THAT(store_.GetToken(Token41()), RefusedWith(Reason::kUnknownToken));
}

TEST_F(RotatorTest, WhatCannotBeRotatedIsRefusedWithTheReason) {
  EXPECT_THAT(RotateToken(Token41(), "stranger"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(RotateToken(Token41(33, kMasterToken)), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(RotateToken(Token41(), "inventory", "5e0a3c52-9c1c-4a7e-8a5e-1f1b8f0f6f01"),
              RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(RotateToken(Token41(33, kMasterToken), "operators"), RefusedWith(Reason::kNotInCustody));
  EXPECT_THAT(RotateToken(Token41(32, 777)), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(RotateCredential("reader", "inventory"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(RotateCredential("none"), RefusedWith(Reason::kUnknownCredential));
  ASSERT_THAT(
      custody_->Import({.name = Credential("bare"), .access_id = "x", .create_time = clock_.Now(), .secret = {}},
                       Secret("lma_x")),
      IsOk());
  EXPECT_THAT(RotateCredential("bare"), RefusedWith(Reason::kNotInCustody));
  ASSERT_THAT(custody_->Import({.name = Credential("twin"),
                                .access_id = FakePortal::AccessId(41),
                                .token = Token41(),
                                .create_time = clock_.Now(),
                                .secret = {}},
                               Secret("lma_x")),
              IsOk());
  EXPECT_THAT(RotateCredential("reader"), RefusedWith(Reason::kCredentialExists));
  ASSERT_THAT(custody_->Remove(Credential("twin")), IsOk());
  ASSERT_THAT(custody_->Import({.name = Credential("wrong"),
                                .access_id = "another",
                                .token = Token41(),
                                .create_time = clock_.Now(),
                                .secret = {}},
                               Secret("lma_x")),
              IsOk());
  EXPECT_THAT(RotateCredential("wrong"), RefusedWith(Reason::kNotInCustody));
  portal_.Change(41, [](FakePortal::Row& row) { row.status = TokenStatus::kDisabled; });
  ASSERT_THAT(custody_->Remove(Credential("wrong")), IsOk());
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_EQ(portal_.CountOf("POST"), 1);  // the fixture's
}

TEST_F(RotatorTest, IntentIsRecordedBeforeAnythingChanges) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(RotateCredential("root"), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_EQ(portal_.CountOf("POST"), 1);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(RotatorTest, TokenCountsForWhoeverCreatedTheFirstOne) {
  TokenCreate create(
      {.portal = PortalParts(), .store = store_, .custody = *custody_, .random = random_, .background = *background_});
  const auto call = As("capped");
  const auto created = create.Create(call->context(), {.parent = Admin()});
  ASSERT_THAT(created, IsOk());
  ASSERT_THAT(RotateToken(created->token.name), IsOk());
  Pass(RotationSteps::kGrace * 2);
  const auto another = As("capped");
  EXPECT_THAT(create.Create(another->context(), {.parent = Admin()}), RefusedWith(Reason::kTooManyTokens));
}

TEST_F(RotatorTest, CredentialThatIsDeletedMeanwhileLeavesNoToken) {
  portal_.OnRequest([&](const std::string& line) {
    if (line.starts_with("POST")) {
      ASSERT_THAT(custody_->Remove(Credential("reader")), IsOk());
    }
  });
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(TokensOf(32), SizeIs(1));  // the old one: its credential alone was deleted
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(RotatorTest, TokenThatIsDisabledMeanwhileIsNotReplacedByAnEnabledOne) {
  portal_.OnRequest([&](const std::string& line) {
    if (!line.starts_with("PATCH")) return;
    portal::LmToken seen{.id = 41, .admin_id = 32, .status = TokenStatus::kDisabled};
    custody_->LearnTokenStatus(Acme(), {&seen, 1});
  });
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_THAT(TokensOf(32), SizeIs(1));
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(RotatorTest, CallerWhoGivesUpLosesNothing) {
  const auto call = As("inventory");
  portal_.OnRequest([&](const std::string& line) {
    if (line.starts_with("PATCH")) call->Cancel();
  });
  EXPECT_THAT(rotator_->RotateToken(call->context(), {.name = Token41()}), RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_EQ(custody_->Describe(Credential("reader"))->state, store::CredentialState::kRotating);
  Pass(absl::Minutes(1));
  EXPECT_EQ(TokenOf("reader"), Token41(32, 42));
  EXPECT_EQ(LiveOf(32), 1);
}

TEST_F(RotatorTest, RepeatAfterALostAnswerFindsOutAndMakesNoThirdToken) {
  portal_.FailAt(static_cast<int>(portal_.requests().size()) + 3, Fault::kNotSent, true);  // from the PATCH on
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kOutcomeUnknown));
  portal_.FailAt(0, Fault::kNone);
  Restart();
  const auto again = RotateToken(Token41());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->token.name, Token41(32, 42));
  EXPECT_EQ(again->token.lm.note, kNote);
  EXPECT_EQ(portal_.CountOf("POST"), 2);
  EXPECT_EQ(LiveOf(32), 1);
}

TEST_F(RotatorTest, ConcurrentCallsMakeOneToken) {
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, &done] {
      const auto rotated = RotateToken(Token41());
      if (rotated.ok() && rotated->token.name == Token41(32, 42)) ++done;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(done, 1);
  EXPECT_EQ(portal_.CountOf("POST"), 2);
  EXPECT_LE(LiveOf(32), 2);
}

TEST_F(RotatorTest, NothingIsDoneWhileSealedAndAllOfItAfterwards) {
  portal_.FailAt(static_cast<int>(portal_.requests().size()) + 3, Fault::kNotSent, true);
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kOutcomeUnknown));
  portal_.FailAt(0, Fault::kNone);
  custody_->Lock([] {});
  const auto before = portal_.requests().size();
  Pass(absl::Minutes(10));
  EXPECT_THAT(portal_.requests(), SizeIs(before));
  ASSERT_THAT(custody_->Unlock(envelope_, [] { return absl::OkStatus(); }), IsOk());
  Pass(absl::Minutes(10));
  EXPECT_EQ(TokenOf("reader"), Token41(32, 42));
}

TEST_F(RotatorTest, StoredSecretIsWrappedAgainWithTheOthers) {
  portal_.FailAt(static_cast<int>(portal_.requests().size()) + 3, Fault::kNotSent, true);
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kOutcomeUnknown));
  const auto values = store_.ListSealedValues();
  ASSERT_THAT(*values, SizeIs(1));
  EXPECT_THAT(values->at(0).name, StartsWith("rotation lmbroker:"));
  // A rotation that ended while its secret was being wrapped again does not get it back.
  const store::SealedValue wrapped = values->at(0);
  portal_.FailAt(0, Fault::kNone);
  Pass(absl::Minutes(10));
  ASSERT_THAT(store_.ReplaceSealedValue(wrapped), IsOk());
  EXPECT_THAT(*store_.ListSealedValues(), IsEmpty());
}

TEST_F(RotatorTest, RefusalsAuditAndLogNeverShowTheSecret) {
  ASSERT_THAT(RotateToken(Token41()), IsOk());
  portal_.RefuseKeysFrom(43);
  const auto refused = RotateCredential("root");
  EXPECT_FALSE(refused.ok());
  Pass(RotationSteps::kGrace * 2);
  for (const std::string& text : {refused.status().ToString(), audit_log_.Text(), log_.str()}) {
    EXPECT_THAT(text, Not(HasSubstr("Secret(Of)")));
    EXPECT_THAT(text, Not(HasSubstr(std::string(kMasterKey))));
  }
}

class LeasedRotatorTest : public RotationTest {
 protected:
  LeasedRotatorTest() : RotationTest(TokenType::kLmv1, absl::Hours(2)) {}
  const absl::Time end_ = clock_.Now() + absl::Hours(2);
};

TEST_F(LeasedRotatorTest, LeaseGoesOverToTheNewTokenWithItsEnd) {
  const auto rotated = RotateToken(Token41());
  ASSERT_THAT(rotated, IsOk());
  EXPECT_EQ(rotated->token.expire_time, end_);
  EXPECT_EQ(store_.GetLease(rotated->token.name)->expire_time, end_);
  Restart();
  EXPECT_THAT(custody_->Lookup(Credential("reader")), IsOk());
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(LeasedRotatorTest, RotationDoesNotOutliveALeaseThatIsRevokedMeanwhile) {
  portal_.OnRequest([&](const std::string& line) {
    if (!line.starts_with("POST")) return;
    store::LeaseRecord lease = *store_.GetLease(Token41());
    lease.expire_time = clock_.Now();
    Expect(custody_->ChangeLease(lease));
  });
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_THAT(TokensOf(32), SizeIs(1));
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_TRUE(store_.ListRotations()->empty());
}

TEST_F(LeasedRotatorTest, NoNewTokenIsMadeOnceTheLeaseHasEnded) {
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(RotateToken(Token41()), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_THAT(TokensOf(32), SizeIs(1));
}

}  // namespace
}  // namespace lmbroker::core
