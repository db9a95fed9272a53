// What every Store promises of leases of tokens.

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/store_contract.h"

namespace lmbroker::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Token `id` of acme, handed over, with a lease that ends then.
void Lease(Store& store, const TokenName& token, absl::Time end) {
  const std::string marker = token.ToString();
  TokenRecord record = MakeToken(token, std::nullopt);
  record.expire_time = end;
  ASSERT_THAT(store.BeginCreate(MakeIntent(marker, token.admin(), std::nullopt), std::nullopt), IsOk());
  ASSERT_THAT(store.CommitCreate(marker, record, std::nullopt), IsOk());
}

std::vector<std::int32_t> IdsOf(const absl::StatusOr<std::vector<LeaseRecord>>& leases) {
  std::vector<std::int32_t> ids;
  EXPECT_THAT(leases, IsOk());
  for (const LeaseRecord& lease : leases.value_or(std::vector<LeaseRecord>())) ids.push_back(lease.token.id());
  return ids;
}

constexpr absl::Time kEnd = absl::FromUnixMicros(1'700'000'000'000'009);

TEST_P(StoreContract, LeaseAppearsWithItsTokenAndOnlyThen) {
  ASSERT_THAT(store_->BeginCreate(MakeIntent("m", token_.admin(), reader_), std::nullopt), IsOk());
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  TokenRecord record = MakeToken(token_, reader_);
  record.expire_time = kEnd;
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_)), IsOk());
  EXPECT_THAT(store_->CommitCreate("m", record, MakeCredential(reader_, token_)),
              RefusedWith(Reason::kCredentialExists));
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  ASSERT_THAT(store_->DeleteCredential(reader_), IsOk());
  ASSERT_THAT(store_->CommitCreate("m", record, MakeCredential(reader_, token_)), IsOk());
  const LeaseRecord expected{.token = token_, .expire_time = kEnd, .next_time = kEnd};
  EXPECT_EQ(*store_->GetLease(token_), expected);
  EXPECT_EQ(store_->GetToken(token_)->expire_time, kEnd);
  EXPECT_EQ(store_->ListTokens(Portal("acme"))->at(0).expire_time, kEnd);
}

TEST_P(StoreContract, LeaseComesBackFieldByFieldInEveryState) {
  Lease(*store_, token_, kEnd);
  for (const LeaseState state : {LeaseState::kActive, LeaseState::kDisabled, LeaseState::kStuck}) {
    for (const std::optional<absl::Time> disabled : {std::optional<absl::Time>(), std::optional(kEnd)}) {
      const LeaseRecord changed{.token = token_,
                                .expire_time = kEnd - absl::Seconds(1),
                                .state = state,
                                .disable_time = disabled,
                                .next_time = kEnd + absl::Seconds(2),
                                .attempts = 3,
                                .last_error = "PORTAL_DENIED: für Zoë"};
      ASSERT_THAT(store_->UpdateLease(changed), IsOk());
      EXPECT_EQ(*store_->GetLease(token_), changed);
      EXPECT_EQ(store_->GetToken(token_)->expire_time, changed.expire_time);
    }
  }
}

TEST_P(StoreContract, LeaseGoesWithItsToken) {
  Lease(*store_, token_, kEnd);
  const LeaseRecord lease = *store_->GetLease(token_);
  ASSERT_THAT(store_->DeleteToken(token_), IsOk());
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(store_->UpdateLease(lease), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(IdsOf(store_->ListLeases({})), IsEmpty());
}

TEST_P(StoreContract, TokenWithoutALeaseHasNone) {
  Create("m", token_, reader_);
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  EXPECT_FALSE(store_->GetToken(token_)->expire_time.has_value());
}

TEST_P(StoreContract, LeasesAreListedByNameInPages) {
  for (const auto& token : {Token("beta", 1, 1), Token("acme", 33, 5), Token("acme", 32, 9), Token("acme", 32, 7)}) {
    Lease(*store_, token, kEnd);
  }
  LeaseRecord stuck = *store_->GetLease(Token("acme", 33, 5));
  stuck.state = LeaseState::kStuck;
  ASSERT_THAT(store_->UpdateLease(stuck), IsOk());
  EXPECT_THAT(IdsOf(store_->ListLeases({})), ElementsAre(7, 9, 5, 1));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme")})), ElementsAre(7, 9, 5));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme"), .most = 2})), ElementsAre(7, 9));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme"), .after = Token("acme", 32, 9), .most = 2})),
              ElementsAre(5));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme"), .stuck_only = true})), ElementsAre(5));
  EXPECT_EQ(*store_->CountStuckLeases(Portal("acme")), 1);
  EXPECT_EQ(*store_->CountStuckLeases(Portal("beta")), 0);
}

TEST_P(StoreContract, DueLeasesAreThoseOfTheirStateTheLongestDueFirst) {
  for (std::int32_t id = 1; id <= 5; ++id) Lease(*store_, Token("acme", 32, id), kEnd - absl::Seconds(id));
  Lease(*store_, Token("beta", 32, 6), kEnd - absl::Seconds(9));
  LeaseRecord disabled = *store_->GetLease(Token("acme", 32, 4));
  disabled.state = LeaseState::kDisabled;
  ASSERT_THAT(store_->UpdateLease(disabled), IsOk());
  const auto due = [&](LeaseState state, absl::Time now, int most) {
    return IdsOf(store_->DueLeases(Portal("acme"), state, now, most));
  };
  EXPECT_THAT(due(LeaseState::kActive, kEnd, 9), ElementsAre(5, 3, 2, 1));
  EXPECT_THAT(due(LeaseState::kActive, kEnd, 2), ElementsAre(5, 3));
  EXPECT_THAT(due(LeaseState::kActive, kEnd - absl::Seconds(2), 9), ElementsAre(5, 3, 2));
  EXPECT_THAT(due(LeaseState::kDisabled, kEnd, 9), ElementsAre(4));
  EXPECT_THAT(due(LeaseState::kStuck, kEnd, 9), IsEmpty());
}

}  // namespace
}  // namespace lmbroker::store
