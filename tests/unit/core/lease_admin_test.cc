#include "service/core/lease_admin.h"

#include "service/core/lease_step.h"
#include "service/core/token_create.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using store::LeaseState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Fault = FakePortal::Fault;

class LeaseAdminTest : public CoreTest {
 protected:
  TokenName Lease(absl::Duration ttl = absl::Hours(1)) {
    TokenCreate create({.portal = PortalParts(),
                        .store = store_,
                        .custody = *custody_,
                        .random = random_,
                        .background = *background_});
    const auto created = create.Create(As("inventory")->context(), {.parent = Admin(), .ttl = ttl});
    EXPECT_THAT(created, IsOk());
    return created->token.name;
  }
  absl::StatusOr<LeasePage> List(LeaseQuery query, std::string_view caller = "operators") {
    return admin_.List(As(caller)->context(), query);
  }
  absl::StatusOr<store::LeaseRecord> Revoke(const TokenName& token, std::string_view caller = "operators") {
    return admin_.Revoke(As(caller)->context(), token);
  }
  static std::vector<std::int32_t> IdsOf(const absl::StatusOr<LeasePage>& page) {
    std::vector<std::int32_t> ids;
    EXPECT_THAT(page, IsOk());
    for (const store::LeaseRecord& lease : page->leases) ids.push_back(lease.token.id());
    return ids;
  }

  LeaseAdmin admin_{{.portal = PortalParts(), .store = store_, .custody = *custody_, .random = random_}};
};

TEST_F(LeaseAdminTest, LeasesAreListedInPages) {
  for (int i = 0; i < 5; ++i) Lease();
  const auto first = List({.portal = Acme(), .page_size = 2});
  EXPECT_THAT(IdsOf(first), ElementsAre(41, 42));
  const auto second = List({.portal = Acme(), .page_size = 2, .page_token = first->next_page_token});
  EXPECT_THAT(IdsOf(second), ElementsAre(43, 44));
  const auto third = List({.portal = Acme(), .page_size = 2, .page_token = second->next_page_token});
  EXPECT_THAT(IdsOf(third), ElementsAre(45));
  EXPECT_EQ(third->next_page_token, "");
  EXPECT_THAT(List({.portal = Acme(), .stuck_only = true, .page_token = first->next_page_token}),
              RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(List({.portal = Acme(), .page_token = "x"}), RefusedWith(Reason::kFieldInvalid));
}

TEST_F(LeaseAdminTest, OperatorsAloneSeeAndEndLeases) {
  const TokenName token = Lease();
  const auto sent = portal_.requests().size();
  EXPECT_THAT(List({.portal = Acme()}, "inventory"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Revoke(token, "inventory"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
  const PortalName other = *PortalName::FromId("globex", "portal");
  EXPECT_THAT(List({.portal = other}), RefusedWith(Reason::kUnknownPortal));
  EXPECT_THAT(Revoke({AdminName(other, 32), 41}), RefusedWith(Reason::kUnknownPortal));
  EXPECT_THAT(Revoke(Token41(32, 99)), RefusedWith(Reason::kUnknownToken));
}

TEST_F(LeaseAdminTest, RevokedTokenIsDisabledNowAndDeletedAsAtItsExpiry) {
  const TokenName token = Lease();
  clock_.Advance(absl::Minutes(1));
  const auto revoked = Revoke(token);
  ASSERT_THAT(revoked, IsOk());
  EXPECT_EQ(revoked->state, LeaseState::kDisabled);
  EXPECT_EQ(revoked->expire_time, clock_.Now());
  EXPECT_EQ(revoked->next_time, clock_.Now() + kLeaseGrace);
  EXPECT_EQ(*store_.GetLease(token), *revoked);
  EXPECT_EQ(portal_.tokens()[0].status, TokenStatus::kDisabled);
  EXPECT_THAT(custody_->Lookup(Credential("token-32-41")), RefusedWith(Reason::kCredentialDisabled));
  // A repeat does no harm, and brings nothing forward.
  const auto sent = portal_.requests().size();
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(*Revoke(token), *revoked);
  EXPECT_THAT(portal_.requests(), SizeIs(sent));
}

TEST_F(LeaseAdminTest, RevokedLeaseHasEndedHereThoughThePortalIsSilent) {
  const TokenName token = Lease();
  portal_.FailAt(1, Fault::kTimeout, true);
  const auto revoked = Revoke(token);
  EXPECT_THAT(revoked, RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_EQ(MetadataOf(revoked.status()).at("token"), token.ToString());
  EXPECT_THAT(custody_->Lookup(Credential("token-32-41")), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_EQ(store_.GetLease(token)->state, LeaseState::kActive);
  EXPECT_EQ(store_.GetLease(token)->attempts, 1);
  EXPECT_THAT(*store_.DueLeases(Acme(), LeaseState::kActive, clock_.Now() + absl::Seconds(1), 9), SizeIs(1));
  Restart();
  EXPECT_THAT(custody_->Lookup(Credential("token-32-41")), RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(LeaseAdminTest, RevokingAStuckLeaseTriesItsStepAgain) {
  const TokenName token = Lease();
  portal_.AnswerAll(403, R"({"errorMessage":"no permission","errorCode":1403})");
  EXPECT_THAT(Revoke(token), RefusedWith(Reason::kPortalDenied));
  EXPECT_EQ(store_.GetLease(token)->state, LeaseState::kStuck);
  EXPECT_THAT(IdsOf(List({.portal = Acme(), .stuck_only = true})), ElementsAre(41));
  portal_.AnswerAll(0);
  EXPECT_EQ(Revoke(token)->state, LeaseState::kDisabled);
  EXPECT_THAT(IdsOf(List({.portal = Acme(), .stuck_only = true})), IsEmpty());
  store::LeaseRecord lease = *store_.GetLease(token);
  lease.state = LeaseState::kStuck;
  ASSERT_THAT(store_.UpdateLease(lease), IsOk());
  EXPECT_THAT(Revoke(token), IsOk());
  EXPECT_THAT(portal_.tokens(), IsEmpty());
  EXPECT_THAT(store_.GetLease(token), RefusedWith(Reason::kUnknownToken));
}

TEST_F(LeaseAdminTest, WithoutAMasterOrSealedNothingChanges) {
  const TokenName token = Lease();
  const store::LeaseRecord before = *store_.GetLease(token);
  ASSERT_THAT(custody_->Remove(Credential("root")), IsOk());
  EXPECT_THAT(Revoke(token), RefusedWith(Reason::kNoMaster));
  custody_->Lock([] {});
  EXPECT_FALSE(Revoke(token).ok());
  EXPECT_THAT(List({.portal = Acme()}), IsOk());
  EXPECT_EQ(*store_.GetLease(token), before);
}

}  // namespace
}  // namespace lmbroker::core
