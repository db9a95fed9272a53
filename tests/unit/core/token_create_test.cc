#include "service/core/token_create.h"

#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using Fault = FakePortal::Fault;

class TokenCreateTest : public CoreTest {
 protected:
  absl::StatusOr<CreatedToken> Create(NewToken wanted, std::string_view caller = "inventory") {
    TokenCreate create({.portal = PortalParts(),
                        .store = store_,
                        .custody = *custody_,
                        .random = random_,
                        .background = *background_});
    const auto call = As(caller);
    return create.Create(call->context(), std::move(wanted));
  }
  void ForgetEverything() {
    for (const FakePortal::Row& row : portal_.tokens()) {
      portal_.RemoveToken(row.id);
      ASSERT_THAT(custody_->ForgetToken({Admin(row.admin), row.id}), IsOk());
    }
  }
  std::vector<store::CreateIntent> OpenCreates() { return *store_.OpenCreates(); }
};

TEST_F(TokenCreateTest, EmptyCreateIsAnEnabledLmv1TokenInCustody) {
  const auto created = Create({.parent = Admin()});
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->token.name.ToString(), "portals/acme/admins/32/tokens/41");
  EXPECT_EQ(created->token.lm.type, TokenType::kLmv1);
  EXPECT_EQ(created->token.lm.status, TokenStatus::kEnabled);
  EXPECT_EQ(created->token.lm.note, "");
  EXPECT_EQ(created->token.lm.masked_secret, "lma_****");
  EXPECT_EQ(created->token.holder, TokenHolder::kBroker);
  EXPECT_EQ(created->token.credential, Credential("token-32-41"));
  EXPECT_FALSE(created->handed_over.has_value());

  ASSERT_THAT(portal_.tokens(), SizeIs(1));
  EXPECT_EQ(portal_.tokens()[0].status, TokenStatus::kEnabled);
  EXPECT_EQ(portal_.tokens()[0].note, "");
  const auto entry = custody_->Lookup(Credential("token-32-41"));
  ASSERT_THAT(entry, IsOk());
  EXPECT_EQ((*entry)->key.secret.Reveal(), portal_.tokens()[0].secret);
  EXPECT_EQ((*entry)->key.access_id, "accessId000000000041");
  EXPECT_THAT(OpenCreates(), IsEmpty());
}

TEST_F(TokenCreateTest, EverythingAskedForIsSet) {
  const auto created = Create({.parent = Admin(),
                               .type = TokenType::kBearer,
                               .note = "für Zoë",
                               .status = TokenStatus::kDisabled,
                               .credential = Credential("reader")});
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->token.credential, Credential("reader"));
  EXPECT_EQ(portal_.tokens()[0].type, TokenType::kBearer);
  EXPECT_EQ(portal_.tokens()[0].note, "für Zoë");
  EXPECT_EQ(portal_.tokens()[0].status, TokenStatus::kDisabled);
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(TokenCreateTest, CreateIsDisabledAndMarkedUntilItsSecretIsStored) {
  portal_.OnRequest([&](const std::string& line) {
    if (line.starts_with("POST")) {
      ASSERT_THAT(OpenCreates(), SizeIs(1));  // the intent is durable before the POST leaves
      EXPECT_EQ(OpenCreates()[0].phase, store::CreatePhase::kIntended);
    }
    if (line.starts_with("PATCH")) {
      ASSERT_THAT(portal_.tokens(), SizeIs(1));
      EXPECT_EQ(portal_.tokens()[0].status, TokenStatus::kDisabled);
      EXPECT_EQ(portal_.tokens()[0].note, OpenCreates()[0].marker);
      EXPECT_THAT(portal_.tokens()[0].note, StartsWith("lmbroker:"));
      EXPECT_EQ(OpenCreates()[0].phase, store::CreatePhase::kCommitted);
      EXPECT_THAT(store_.GetCredential(Credential("token-32-41")), IsOk());
    }
  });
  ASSERT_THAT(Create({.parent = Admin()}), IsOk());
  EXPECT_EQ(portal_.CountOf("POST"), 1);
  EXPECT_EQ(portal_.CountOf("PATCH"), 1);
}

TEST_F(TokenCreateTest, HandOverGivesTheSecretOnceAndKeepsNothing) {
  const auto created = Create({.parent = Admin(), .type = TokenType::kBearer, .hand_over = true});
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->handed_over->Reveal(), portal_.tokens()[0].secret);
  EXPECT_EQ(created->token.holder, TokenHolder::kHandedOver);
  EXPECT_FALSE(created->token.credential.has_value());
  EXPECT_THAT(custody_->List(Acme()), SizeIs(1));  // the master
  EXPECT_EQ(portal_.tokens()[0].status, TokenStatus::kEnabled);
}

TEST_F(TokenCreateTest, LeaseIsDurableWithTheCreateAndShown) {
  const absl::Time start = clock_.Now();
  portal_.OnRequest([&](const std::string& line) {
    EXPECT_EQ(store_.ListLeases({})->size(), line.starts_with("PATCH") ? 1U : 0U);  // committed with the secret
  });
  const auto asked = Create({.parent = Admin(), .ttl = absl::Minutes(5)}, "leased");
  ASSERT_THAT(asked, IsOk());
  EXPECT_EQ(asked->token.expire_time, start + absl::Minutes(5));
  portal_.OnRequest({});
  const auto given = Create({.parent = Admin()}, "leased");
  ASSERT_THAT(given, IsOk());
  EXPECT_EQ(given->token.expire_time, start + absl::Hours(1));
  const auto handed =
      Create({.parent = Admin(), .type = TokenType::kBearer, .hand_over = true, .ttl = absl::Seconds(30)}, "inventory");
  ASSERT_THAT(handed, IsOk());
  const auto lease = store_.GetLease(handed->token.name);
  ASSERT_THAT(lease, IsOk());
  EXPECT_EQ(lease->expire_time, start + absl::Seconds(30));
  EXPECT_EQ(lease->next_time, lease->expire_time);
  EXPECT_EQ(lease->state, store::LeaseState::kActive);
  const auto free = Create({.parent = Admin()});
  ASSERT_THAT(free, IsOk());
  EXPECT_FALSE(free->token.expire_time.has_value());
  EXPECT_THAT(store_.GetLease(free->token.name), RefusedWith(Reason::kUnknownToken));
}

TEST_F(TokenCreateTest, CreateThatFailsLeavesNoLease) {
  portal_.FailAt(2, Fault::kFails, true);  // the PATCH, and all that follows
  EXPECT_FALSE(Create({.parent = Admin(), .ttl = absl::Hours(1)}).ok());
  portal_.FailAt(0, Fault::kNone);
  FinishBackground();
  const std::vector<store::LeaseRecord> leases = *store_.ListLeases({});
  for (const store::LeaseRecord& lease : leases) EXPECT_THAT(store_.GetToken(lease.token), IsOk());
  ASSERT_THAT(custody_->ForgetToken(Token41()), IsOk());
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
}

TEST_F(TokenCreateTest, TokenWhoseLeaseEndsWhileItIsCreatedIsNeverEnabled) {
  portal_.OnRequest([&](const std::string& line) {
    if (line.starts_with("POST")) clock_.Advance(absl::Seconds(5));
  });
  const auto created = Create({.parent = Admin(), .ttl = absl::Seconds(5)});
  EXPECT_THAT(created, RefusedWith(Reason::kPortalError));
  EXPECT_THAT(std::string(created.status().message()), testing::HasSubstr("lease"));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
  EXPECT_EQ(portal_.CountOf("PATCH"), 0);
}

TEST_F(TokenCreateTest, HandOverNeedsAGrantOfItsOwn) {
  EXPECT_THAT(Create({.parent = Admin(), .hand_over = true}), RefusedWith(Reason::kHandOverNotGranted));
  EXPECT_THAT(Create({.parent = Admin(), .hand_over = true}, "operators"), RefusedWith(Reason::kHandOverNotGranted));
  EXPECT_THAT(portal_.requests(), IsEmpty());
}

TEST_F(TokenCreateTest, CallerThatHasAsManyAsItMayCreatesNoMore) {
  const auto created = Create({.parent = Admin()}, "capped");
  ASSERT_THAT(created, IsOk());
  const auto sent = portal_.requests().size();
  EXPECT_THAT(Create({.parent = Admin()}, "capped"), RefusedWith(Reason::kTooManyTokens));
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
  EXPECT_THAT(Create({.parent = Admin()}), IsOk());  // others are not concerned
  ASSERT_THAT(custody_->ForgetToken(created->token.name), IsOk());
  EXPECT_THAT(Create({.parent = Admin()}, "capped"), IsOk());
}

TEST_F(TokenCreateTest, WhatIsRefusedBeforehandSendsNothing) {
  ASSERT_THAT(
      custody_->Import({.name = Credential("taken"), .create_time = clock_.Now(), .secret = {}}, Secret("lma_x")),
      IsOk());
  EXPECT_THAT(Create({.parent = Admin(33)}), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Create({.parent = Admin()}, "stranger"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Create({.parent = Admin(), .credential = Credential("taken")}), RefusedWith(Reason::kCredentialExists));
  for (const absl::Duration ttl : {absl::ZeroDuration(), -absl::Hours(1), absl::Hours(87601)}) {
    const auto created = Create({.parent = Admin(), .ttl = ttl});
    EXPECT_THAT(created, RefusedWith(Reason::kFieldInvalid));
    EXPECT_THAT(std::string(created.status().message()), testing::HasSubstr("`ttl` must be 1s to 87600h"));
  }
  EXPECT_THAT(Create({.parent = Admin(), .ttl = absl::Hours(2)}, "leased"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Create({.parent = Admin(), .request_id = "1"}), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(Create({.parent = Admin(), .type = TokenType::kBearer, .credential = Credential("x"), .hand_over = true}),
              RefusedWith(Reason::kFieldInvalid));
  for (const std::string& note :
       {std::string(1025, 'x'), std::string("\xff"), std::string("a\nb"), std::string(1, '\0')}) {
    EXPECT_THAT(Create({.parent = Admin(), .note = note}), RefusedWith(Reason::kFieldInvalid));
  }
  EXPECT_THAT(portal_.requests(), IsEmpty());
  EXPECT_THAT(OpenCreates(), IsEmpty());
}

TEST_F(TokenCreateTest, ClearRefusalOfThePortalLeavesNothingOpen) {
  EXPECT_THAT(Create({.parent = Admin(99)}, "operators"), RefusedWith(Reason::kUnknownAdmin));
  portal_.AnswerAll(403, R"({"errorMessage":"Administrator role","errorCode":1403})");
  EXPECT_THAT(Create({.parent = Admin()}), RefusedWith(Reason::kPortalDenied));
  portal_.AnswerAll(200, R"({"errorMessage":"rate","errorCode":1429})");
  EXPECT_THAT(Create({.parent = Admin()}), RefusedWith(Reason::kBudgetExhausted));
  EXPECT_THAT(OpenCreates(), IsEmpty());
}

TEST_F(TokenCreateTest, LostCreateLeavesNoLiveToken) {
  for (const Fault fault : {Fault::kAnswerLost, Fault::kFailsLate, Fault::kGarbage}) {
    portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, fault);
    const auto created = Create({.parent = Admin()});
    EXPECT_THAT(created, RefusedWith(Reason::kPortalError));  // found by its marker and deleted: nothing has changed
    EXPECT_THAT(portal_.tokens(), IsEmpty());
    EXPECT_THAT(OpenCreates(), IsEmpty());
  }
}

TEST_F(TokenCreateTest, CreateThatMayComeLateIsOutcomeUnknownAndStaysOpen) {
  for (const Fault fault : {Fault::kUnheard, Fault::kTimeout, Fault::kBadGateway}) {
    const std::size_t open = OpenCreates().size();
    portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, fault);
    EXPECT_THAT(Create({.parent = Admin()}), RefusedWith(Reason::kOutcomeUnknown));
    EXPECT_THAT(OpenCreates(), SizeIs(open + 1));
    EXPECT_EQ(OpenCreates().back().phase, store::CreatePhase::kIntended);
  }
}

TEST_F(TokenCreateTest, FailureThatThePortalAnsweredIsKnown) {
  portal_.FailAt(1, Fault::kFails);
  EXPECT_THAT(Create({.parent = Admin()}), RefusedWith(Reason::kPortalError));
  EXPECT_THAT(OpenCreates(), IsEmpty());
}

TEST_F(TokenCreateTest, SecretThatCannotBeStoredTakesItsTokenBack) {
  store_.FailAfter(1);  // the intent is written, the commit is not
  EXPECT_THAT(Create({.parent = Admin()}), RefusedWith(Reason::kStoreUnavailable));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(OpenCreates(), IsEmpty());
}

TEST_F(TokenCreateTest, LastStepThatIsOpenIsFinishedInTheBackground) {
  portal_.FailAt(2, Fault::kTimeout);
  const auto created = Create({.parent = Admin(), .note = "n"});
  EXPECT_THAT(created, RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_EQ(MetadataOf(created.status())["token"], "portals/acme/admins/32/tokens/41");
  FinishBackground();
  EXPECT_EQ(portal_.tokens()[0].note, "n");
  EXPECT_EQ(portal_.tokens()[0].status, TokenStatus::kEnabled);
  EXPECT_THAT(OpenCreates(), IsEmpty());
  EXPECT_THAT(custody_->Lookup(Credential("token-32-41")), IsOk());
}

TEST_F(TokenCreateTest, LastStepThatThePortalRefusesTakesTheTokenBack) {
  portal_.OnRequest([&](const std::string& line) {
    portal_.AnswerAll(line.starts_with("PATCH") ? 400 : 0, R"({"errorMessage":"note too long","errorCode":1400})");
  });
  const auto created = Create({.parent = Admin(), .note = "n"});
  EXPECT_THAT(created, RefusedWith(Reason::kPortalRejected));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(custody_->List(Acme()), SizeIs(1));
  EXPECT_THAT(OpenCreates(), IsEmpty());
}

TEST_F(TokenCreateTest, SecretThatIsNotHandedOverInTimeIsNotLeftUsable) {
  const auto hand_over = [&] { return Create({.parent = Admin(), .type = TokenType::kBearer, .hand_over = true}); };
  portal_.FailAt(2, Fault::kFailsLate);  // enabled, but the portal says that it failed
  EXPECT_THAT(hand_over(), RefusedWith(Reason::kPortalError));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(OpenCreates(), IsEmpty());
  const int requests = static_cast<int>(portal_.requests().size());
  portal_.FailAt(requests + 2, Fault::kAnswerLost, true);  // enabled, and from then on no answer comes
  EXPECT_THAT(hand_over(), RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
}

TEST_F(TokenCreateTest, CallerWhoGivesUpLeavesNoLiveToken) {
  TokenCreate create(
      {.portal = PortalParts(), .store = store_, .custody = *custody_, .random = random_, .background = *background_});
  const auto call = As("inventory");
  portal_.OnRequest([&](const std::string& line) {
    if (line.starts_with("PATCH")) call->Cancel();
  });
  EXPECT_FALSE(create.Create(call->context(), {.parent = Admin()}).ok());
  FinishBackground();
  ExpectNoLiveOrphan();
  EXPECT_THAT(OpenCreates(), IsEmpty());  // finished in the background, whoever listens
}

// Law 5, at every step: the portal fails in every way at every request, and from then on or not, with the store failing
// at every write or not at all.
TEST_F(TokenCreateTest, NoLiveOrphan) {
  const Fault faults[] = {Fault::kNone,  Fault::kNotSent,   Fault::kUnheard,    Fault::kAnswerLost, Fault::kTimeout,
                          Fault::kFails, Fault::kFailsLate, Fault::kBadGateway, Fault::kGarbage};
  int runs = 0;
  for (const Fault fault : faults) {
    for (int request = 1; request <= 5; ++request) {
      for (const bool stays : {false, true}) {
        for (int store_call = 0; store_call <= 6; ++store_call) {
          portal_.FailAt(static_cast<int>(portal_.requests().size()) + request, fault, stays);
          store_.FailAfter(store_call, store_call == 6 ? 0 : 100);
          const auto created =
              Create({.parent = Admin(), .type = runs % 2 == 0 ? TokenType::kLmv1 : TokenType::kBearer});
          FinishBackground();
          ExpectNoLiveOrphan();
          if (HasFailure()) {
            FAIL() << "fault " << static_cast<int>(fault) << " at request " << request << (stays ? " for good" : "")
                   << ", store call " << store_call << ": " << created.status();
          }
          ForgetEverything();
          background_.emplace(Executor::Options{.threads = 1, .most_queued = 8});
          ++runs;
        }
      }
    }
  }
  EXPECT_EQ(runs, 9 * 5 * 2 * 7);
}

TEST_F(TokenCreateTest, RefusalsAndAuditNeverShowTheSecret) {
  portal_.FailAt(2, Fault::kFails);
  const auto created = Create({.parent = Admin()});
  EXPECT_EQ(created.status().ToString().find("Secret(Of)"), std::string::npos);
  EXPECT_EQ(audit_log_.Text().find("Secret(Of)"), std::string::npos);
  EXPECT_EQ(audit_log_.Text().find(kMasterKey), std::string::npos);
}

TEST_F(TokenCreateTest, DerivedNameGivesWayToAnImportedOne) {
  ASSERT_THAT(
      custody_->Import({.name = Credential("token-32-41"), .create_time = clock_.Now(), .secret = {}}, Secret("lma_x")),
      IsOk());
  const auto created = Create({.parent = Admin()});
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->token.credential, Credential("token-32-41-2"));
}

}  // namespace
}  // namespace lmbroker::core
