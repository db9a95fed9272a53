#include "service/core/leases.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>

#include "service/core/lease_admin.h"
#include "service/core/lease_step.h"
#include "service/core/token_create.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using store::LeaseState;
using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Fault = FakePortal::Fault;

class LeasesTest : public CoreTest {
 protected:
  LeasesTest() { Begin(); }

  // As the program begins: with what the store has.
  void Begin() {
    leases_.reset();
    Restart();
    leases_ = std::make_unique<Leases>(Leases::Parts{.portal = PortalParts(),
                                                     .store = store_,
                                                     .custody = *custody_,
                                                     .random = random_,
                                                     .audit = audit_log_,
                                                     .refusals = refusals_,
                                                     .logger = logger_,
                                                     .workers = {.threads = 2, .most_queued = 16}});
  }

  // A token in the broker's custody that lives so long.
  TokenName Lease(absl::Duration ttl) {
    TokenCreate create({.portal = PortalParts(),
                        .store = store_,
                        .custody = *custody_,
                        .random = random_,
                        .background = *background_});
    const auto created = create.Create(As("inventory")->context(), {.parent = Admin(), .ttl = ttl});
    EXPECT_THAT(created, IsOk());
    return created->token.name;
  }

  // Time passes, second by second, with a sweep in each.
  void Pass(absl::Duration time) {
    const absl::Time end = clock_.Now() + time;
    while (clock_.Now() < end) {
      leases_->Sweep(Acme());
      clock_.Advance(absl::Seconds(1));
    }
  }

  std::optional<TokenStatus> StatusAtPortal(const TokenName& name) const {
    for (const FakePortal::Row& row : portal_.tokens()) {
      if (row.id == name.id()) return row.status;
    }
    return std::nullopt;
  }
  store::LeaseRecord LeaseOf(const TokenName& name) { return *store_.GetLease(name); }
  static CredentialName CredentialOf(const TokenName& name) {
    return Credential(fmt::format("token-32-{}", name.id()));
  }

  std::unique_ptr<Leases> leases_;
};

TEST_F(LeasesTest, ExpiredTokenIsDisabledThenDeletedAfterTheGrace) {
  const TokenName token = Lease(absl::Minutes(1));
  Pass(absl::Seconds(60));
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kEnabled);
  leases_->Sweep(Acme());
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kDisabled);
  EXPECT_EQ(LeaseOf(token).state, LeaseState::kDisabled);
  EXPECT_EQ(LeaseOf(token).disable_time, clock_.Now());
  Pass(kLeaseGrace);
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kDisabled);
  leases_->Sweep(Acme());
  EXPECT_EQ(StatusAtPortal(token), std::nullopt);
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
  EXPECT_THAT(store_.GetToken(token), RefusedWith(Reason::kUnknownToken));
  EXPECT_FALSE(custody_->Has(CredentialOf(token)));
}

TEST_F(LeasesTest, SigningEndsAtTheExpiryEvenWhenThePortalIsNotReachable) {
  const TokenName token = Lease(absl::Minutes(1));
  portal_.FailAt(1, Fault::kNotSent, true);
  clock_.Advance(absl::Minutes(1) - absl::Milliseconds(1));
  const auto before = custody_->Lookup(CredentialOf(token));
  EXPECT_THAT(before, IsOk());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(custody_->Lookup(CredentialOf(token)), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_THAT(Custody::CheckLease(**before, clock_.Now()), RefusedWith(Reason::kCredentialDisabled));
  leases_->Sweep(Acme());
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kEnabled);
  // Neither an operator's switch nor a restart brings it back.
  ASSERT_THAT(custody_->SetStatus(CredentialOf(token), TokenStatus::kEnabled), IsOk());
  EXPECT_THAT(custody_->Lookup(CredentialOf(token)), RefusedWith(Reason::kCredentialDisabled));
  Begin();
  EXPECT_THAT(custody_->Lookup(CredentialOf(token)), RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(LeasesTest, ImportedSecretOfALeasedTokenEndsWithIt) {
  const TokenName token = Lease(absl::Minutes(1));
  ASSERT_THAT(custody_->Import({.name = Credential("mine"), .token = token, .create_time = clock_.Now(), .secret = {}},
                               Secret("lma_mine")),
              IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("mine")), IsOk());
  clock_.Advance(absl::Minutes(1));
  EXPECT_THAT(custody_->Lookup(Credential("mine")), RefusedWith(Reason::kCredentialDisabled));
}

// Row 14 of the promises: whatever goes wrong now and then, a minute is enough.
TEST_F(LeasesTest, ExpiredTokenIsDisabledWithinAMinuteUnderFaults) {
  std::mt19937 random(14);  // NOLINT(cert-msc51-cpp): the same faults each time
  std::map<TokenName, absl::Time> ends;
  for (int i = 0; i < 200; ++i) {
    const absl::Duration ttl = absl::Seconds(300 + random() % 600);
    const TokenName token = Lease(ttl);
    ends.emplace(token, *store_.GetToken(token)->expire_time);
    if (i % 50 == 49) clock_.Advance(absl::Minutes(1));  // for the portal's rate limit
  }
  portal_.OnRequest([&](const std::string&) {
    constexpr std::array kFaults = {Fault::kNotSent, Fault::kUnheard,   Fault::kAnswerLost, Fault::kTimeout,
                                    Fault::kFails,   Fault::kFailsLate, Fault::kBadGateway, Fault::kGarbage};
    const Fault fault = random() % 100 < 30 ? kFaults.at(random() % kFaults.size()) : Fault::kNone;
    portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, fault);
  });
  const absl::Time last =
      std::max_element(ends.begin(), ends.end(), [](auto& a, auto& b) { return a.second < b.second; })->second;
  int late = 0;
  int round = 0;
  while (clock_.Now() < last + absl::Minutes(2)) {
    if (++round % 97 == 0) Begin();  // a restart
    if (round % 13 == 0) store_.FailAfter(static_cast<int>(random() % 4));
    leases_->Sweep(Acme());
    clock_.Advance(absl::Seconds(1));
    for (auto end = ends.begin(); end != ends.end();) {
      if (clock_.Now() < end->second + absl::Minutes(1)) {
        ++end;
        continue;
      }
      late += StatusAtPortal(end->first) == TokenStatus::kEnabled ? 1 : 0;
      end = ends.erase(end);
    }
  }
  EXPECT_EQ(late, 0);
  EXPECT_THAT(ends, IsEmpty());
  store_.FailAfter(0, 0);
  portal_.OnRequest({});
  portal_.FailAt(0, Fault::kNone);
  Pass(absl::Minutes(90));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
}

TEST_F(LeasesTest, WhatIsGoneAtThePortalIsDone) {
  const TokenName early = Lease(absl::Minutes(1));
  portal_.RemoveToken(early.id());
  Pass(absl::Seconds(62));
  EXPECT_THAT(store_.GetLease(early), RefusedWith(Reason::kUnknownToken));  // without waiting for the grace
  EXPECT_FALSE(custody_->Has(CredentialOf(early)));

  const TokenName late = Lease(absl::Minutes(1));
  Pass(absl::Seconds(62));
  EXPECT_EQ(LeaseOf(late).state, LeaseState::kDisabled);
  portal_.RemoveToken(late.id());
  Pass(kLeaseGrace);
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
}

TEST_F(LeasesTest, StuckIsListedNotLooped) {
  const TokenName token = Lease(absl::Minutes(1));
  portal_.AnswerAll(403, R"({"errorMessage":"no permission","errorCode":1403})");
  const auto before = portal_.requests().size();
  Pass(absl::Minutes(30));
  EXPECT_EQ(portal_.requests().size(), before + 1);
  const store::LeaseRecord stuck = LeaseOf(token);
  EXPECT_EQ(stuck.state, LeaseState::kStuck);
  EXPECT_FALSE(stuck.disable_time.has_value());
  EXPECT_EQ(stuck.attempts, 1);
  EXPECT_THAT(stuck.last_error, AllOf(HasSubstr("PORTAL_DENIED"), HasSubstr("no permission")));
  EXPECT_EQ(*store_.CountStuckLeases(Acme()), 1);
  Pass(absl::Hours(10));
  EXPECT_LE(portal_.requests().size(), before + 22);  // seldom
  EXPECT_GE(portal_.requests().size(), before + 8);
  portal_.AnswerAll(0);
  Pass(absl::Minutes(80));  // what was stuck comes loose by itself
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
}

TEST_F(LeasesTest, OneTokenThatAlwaysFailsIsStuckInTheEndAndNobodyElseWaits) {
  const TokenName bad = Lease(absl::Minutes(1));
  portal_.OnRequest([&](const std::string& line) {
    const bool is_bad = line.find(fmt::format("/apitokens/{}", bad.id())) != std::string::npos;
    portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, is_bad ? Fault::kFails : Fault::kNone);
  });
  int minutes = 0;
  while (LeaseOf(bad).state != LeaseState::kStuck && ++minutes < 200) {
    const TokenName good = Lease(absl::Seconds(30));
    Pass(absl::Minutes(1));
    EXPECT_EQ(StatusAtPortal(good), TokenStatus::kDisabled) << minutes;
  }
  EXPECT_EQ(LeaseOf(bad).attempts, 20);
  EXPECT_GE(minutes, 10);
  EXPECT_LE(minutes, 100);
  EXPECT_THAT(LeaseOf(bad).last_error, HasSubstr("PORTAL_ERROR"));
}

TEST_F(LeasesTest, PortalThatDoesNotAnswerIsLeftAloneAndNothingGetsStuck) {
  std::vector<TokenName> tokens;
  tokens.reserve(50);
  for (int i = 0; i < 50; ++i) tokens.push_back(Lease(absl::Minutes(1)));
  clock_.Advance(absl::Minutes(1));
  for (const Fault fault : {Fault::kNotSent, Fault::kUnheard, Fault::kFails}) {
    portal_.FailAt(1, fault, true);
    Pass(absl::Minutes(2));
    const auto before = portal_.requests().size();
    Pass(absl::Hours(2));
    // Two per cent of what LM allows in that time.
    EXPECT_LE(portal_.requests().size() - before, 120 * 500 / 50) << static_cast<int>(fault);
    EXPECT_EQ(*store_.CountStuckLeases(Acme()), 0) << static_cast<int>(fault);
  }
  portal_.FailAt(0, Fault::kNone);
  Pass(absl::Minutes(2));
  for (const TokenName& token : tokens) EXPECT_EQ(StatusAtPortal(token), TokenStatus::kDisabled);
}

TEST_F(LeasesTest, NothingIsDoneWhileSealedOrWithoutAMaster) {
  const TokenName token = Lease(absl::Minutes(1));
  clock_.Advance(absl::Minutes(1));
  const auto sent = portal_.requests().size();
  const auto audited = audit_log_.records().size();
  custody_->Lock([] {});
  Pass(absl::Minutes(5));
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
  EXPECT_THAT(audit_log_.records(), SizeIs(audited));
  ASSERT_THAT(custody_->Unlock(envelope_, [] { return absl::OkStatus(); }), IsOk());

  const Secret key(kMasterKey);
  ASSERT_THAT(custody_->Remove(Credential("root")), IsOk());
  Pass(absl::Minutes(5));
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
  EXPECT_EQ(LeaseOf(token).attempts, 0);
  ASSERT_THAT(custody_->Import({.name = Credential("root"),
                                .type = TokenType::kLmv1,
                                .access_id = "masterAccessId123456",
                                .master = true,
                                .create_time = clock_.Now(),
                                .secret = {}},
                               Secret(kMasterKey)),
              IsOk());
  Pass(absl::Minutes(1));
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kDisabled);
}

TEST_F(LeasesTest, EveryStepIsAuditedBeforeItLeaves) {
  const TokenName token = Lease(absl::Minutes(1));
  clock_.Advance(absl::Minutes(1));
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  const auto sent = portal_.requests().size();
  Pass(absl::Minutes(2));
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
  audit_log_.Set(audit::RecordingAuditLog::Mode::kWorks);
  Pass(absl::Minutes(1));
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kDisabled);
  const auto records = audit_log_.records();
  ASSERT_GE(records.size(), 2U);
  const audit::Record& intent = records[records.size() - 2];
  const audit::Record& outcome = records.back();
  EXPECT_EQ(intent.kind, audit::Kind::kIntent);
  EXPECT_EQ(intent.method, "lease/disable");
  EXPECT_EQ(intent.identity, "lmbroker");
  EXPECT_EQ(intent.caller, "");
  EXPECT_EQ(intent.rule, "lease");
  EXPECT_EQ(intent.resource, token.ToString());
  EXPECT_EQ(intent.http_method, "PATCH");
  EXPECT_EQ(outcome.kind, audit::Kind::kOutcome);
  EXPECT_EQ(outcome.id, intent.id);
  EXPECT_EQ(outcome.code, "OK");
  EXPECT_EQ(outcome.http_status, 200);
  EXPECT_THAT(audit_log_.durabilities(), Contains(audit::Durability::kOnDisk));
}

TEST_F(LeasesTest, RestartGoesOnWhereverTheProgramEnded) {
  const TokenName token = Lease(absl::Minutes(1));
  Begin();
  EXPECT_THAT(custody_->Lookup(CredentialOf(token)), IsOk());
  clock_.Advance(absl::Minutes(1));
  portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, Fault::kTimeout);  // done or not, nobody knows
  leases_->Sweep(Acme());
  Begin();
  Pass(absl::Seconds(30));
  EXPECT_EQ(StatusAtPortal(token), TokenStatus::kDisabled);
  Begin();
  Pass(kLeaseGrace);
  Begin();
  Pass(absl::Seconds(1));
  EXPECT_THAT(portal_.tokens(), IsEmpty());
}

TEST_F(LeasesTest, DeadTokensWaitForThoseThatShouldBe) {
  const TokenName dead = Lease(absl::Minutes(1));
  Pass(absl::Seconds(61));
  const TokenName due = Lease(absl::Minutes(1));
  clock_.Advance(kLeaseGrace);
  int deletes = 0;
  portal_.OnRequest([&](const std::string& line) {
    deletes += line.starts_with("DELETE") ? 1 : 0;
    EXPECT_TRUE(deletes == 0 || !line.starts_with("PATCH"));
  });
  leases_->Sweep(Acme());
  EXPECT_EQ(deletes, 1);
  EXPECT_EQ(StatusAtPortal(dead), std::nullopt);
  EXPECT_EQ(StatusAtPortal(due), TokenStatus::kDisabled);
}

TEST_F(LeasesTest, ExpiredBacklogDrainsInsideTheBudgetAndASweepIsBounded) {
  for (int i = 0; i < 150; ++i) Lease(absl::Minutes(1));
  clock_.Advance(absl::Hours(3));
  const auto sent = portal_.requests().size();
  leases_->Sweep(Acme());
  EXPECT_EQ(portal_.requests().size() - sent, 100U);
  leases_->Sweep(Acme());
  EXPECT_EQ(portal_.requests().size() - sent, 150U);
  Pass(kLeaseGrace + absl::Minutes(1));
  EXPECT_EQ(portal_.requests().size() - sent, 300U);
  EXPECT_THAT(portal_.tokens(), IsEmpty());
}

TEST_F(LeasesTest, WorkersShareWhatIsDueAndTakeNothingTwice) {
  for (int i = 0; i < 60; ++i) Lease(absl::Minutes(1));
  clock_.Advance(absl::Minutes(1));
  const auto sent = portal_.requests().size();
  while (!store_.DueLeases(Acme(), LeaseState::kActive, clock_.Now(), 1)->empty()) leases_->Tick();
  leases_.reset();  // which waits for the workers
  EXPECT_EQ(portal_.requests().size() - sent, 60U);
}

TEST_F(LeasesTest, NothingBeginsOnceStopped) {
  Lease(absl::Minutes(1));
  clock_.Advance(absl::Minutes(1));
  const auto sent = portal_.requests().size();
  leases_->Stop();
  leases_->Tick();
  leases_->Sweep(Acme());
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
}

}  // namespace
}  // namespace lmbroker::core
