#include "service/core/token_admin.h"

#include "service/core/token_create.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using Fault = FakePortal::Fault;

class TokenAdminTest : public CoreTest {
 protected:
  TokenAdminTest() {
    portal_.AddToken({.id = 41, .admin = 32, .note = "old", .status = TokenStatus::kDisabled});
    portal_.AddToken({.id = 42, .admin = 32, .type = TokenType::kBearer});
    portal_.AddToken({.id = 43, .admin = 33});
  }
  TokenAdmin Admins() { return TokenAdmin({.portal = PortalParts(), .store = store_, .custody = *custody_}); }

  absl::StatusOr<Token> Get(const TokenName& name, std::string_view caller = "inventory") {
    const auto call = As(caller);
    return Admins().Get(call->context(), name);
  }
  absl::StatusOr<Token> UpdateNote(NoteUpdate update, std::string_view caller = "inventory") {
    const auto call = As(caller);
    return Admins().UpdateNote(call->context(), update);
  }
  absl::StatusOr<Token> Toggle(const TokenName& name, TokenStatus status, std::string_view caller = "inventory") {
    const auto call = As(caller);
    return Admins().Toggle(call->context(), name, status);
  }
  absl::Status Delete(const TokenName& name, std::string_view caller = "inventory") {
    const auto call = As(caller);
    return Admins().Delete(call->context(), name);
  }
  FakePortal::Row Row(std::int32_t id) {
    for (const FakePortal::Row& row : portal_.tokens()) {
      if (row.id == id) return row;
    }
    return {};
  }
  // A token 41 that the broker created, bound to the credential `reader`.
  void BindReader() {
    const store::CreateIntent intent{
        .marker = "m", .admin = Admin(), .credential = Credential("reader"), .create_time = clock_.Now()};
    ASSERT_THAT(store_.BeginCreate(intent, std::nullopt), IsOk());
    ASSERT_THAT(
        custody_->Adopt(
            "m", {.name = Token41(), .credential = Credential("reader"), .access_id = "", .create_time = clock_.Now()},
            {.name = Credential("reader"), .token = Token41(), .create_time = clock_.Now(), .secret = {}},
            Secret("lma_reader-key")),
        IsOk());
  }
};

TEST_F(TokenAdminTest, WhatHasEndedIsNotEnabledAgain) {
  TokenCreate create(
      {.portal = PortalParts(), .store = store_, .custody = *custody_, .random = random_, .background = *background_});
  const auto created = create.Create(As("inventory")->context(), {.parent = Admin(), .ttl = absl::Minutes(5)});
  ASSERT_THAT(created, IsOk());
  const TokenName& name = created->token.name;
  EXPECT_EQ(Get(name)->expire_time, clock_.Now() + absl::Minutes(5));
  EXPECT_THAT(Toggle(name, TokenStatus::kDisabled), IsOk());
  EXPECT_THAT(Toggle(name, TokenStatus::kEnabled), IsOk());
  clock_.Advance(absl::Minutes(5));
  const auto sent = portal_.CountOf("PATCH");
  EXPECT_THAT(Toggle(name, TokenStatus::kEnabled), RefusedWith(Reason::kCredentialDisabled));
  EXPECT_EQ(portal_.CountOf("PATCH"), sent);
  EXPECT_THAT(Toggle(name, TokenStatus::kDisabled), IsOk());
  EXPECT_THAT(Delete(name), IsOk());
  EXPECT_THAT(*store_.ListLeases({}), IsEmpty());
}

TEST_F(TokenAdminTest, GetFindsBothTypes) {
  EXPECT_EQ(Get(Token41())->lm.type, TokenType::kLmv1);
  const auto bearer = Get(Token41(32, 42));
  ASSERT_THAT(bearer, IsOk());
  EXPECT_EQ(bearer->lm.type, TokenType::kBearer);
  EXPECT_EQ(bearer->lm.masked_secret, "lmb_****");
  EXPECT_EQ(bearer->holder, TokenHolder::kForeign);
}

TEST_F(TokenAdminTest, TokenOfAnotherAdminIsUnknown) {
  EXPECT_THAT(Get(Token41(32, 43)), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(Toggle(Token41(32, 43), TokenStatus::kEnabled), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(UpdateNote({.name = Token41(32, 99), .note = "n"}), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(Get(Token41(99, 41), "operators"), RefusedWith(Reason::kUnknownToken));
  EXPECT_EQ(portal_.CountOf("PATCH"), 0);
}

TEST_F(TokenAdminTest, NoteEditDoesNotReenable) {
  const auto token = UpdateNote({.name = Token41(), .note = "new"});
  ASSERT_THAT(token, IsOk());
  EXPECT_EQ(token->lm.note, "new");
  EXPECT_EQ(token->lm.status, TokenStatus::kDisabled);
  EXPECT_EQ(Row(41).note, "new");
  EXPECT_EQ(Row(41).status, TokenStatus::kDisabled);
  ASSERT_THAT(UpdateNote({.name = Token41(), .note = "", .update_mask = {"note"}}), IsOk());
  EXPECT_EQ(Row(41).note, "");
}

TEST_F(TokenAdminTest, OnlyTheNoteCanBeUpdated) {
  for (const std::string path : {"status", "token.note", "*", "", "note\n"}) {
    EXPECT_THAT(UpdateNote({.name = Token41(), .note = "n", .update_mask = {"note", path}}),
                RefusedWith(Reason::kFieldImmutable));
  }
  EXPECT_THAT(UpdateNote({.name = Token41(), .note = "a\tb"}), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(portal_.requests(), IsEmpty());
}

TEST_F(TokenAdminTest, ToggleIsToTheWantedStatusHoweverOften) {
  for (const TokenStatus status : {TokenStatus::kEnabled, TokenStatus::kEnabled, TokenStatus::kDisabled}) {
    const auto token = Toggle(Token41(), status);
    ASSERT_THAT(token, IsOk());
    EXPECT_EQ(token->lm.status, status);
    EXPECT_EQ(Row(41).status, status);
    EXPECT_EQ(Row(41).note, "old");
  }
}

TEST_F(TokenAdminTest, ToggleReachesTheBoundCredential) {
  BindReader();
  ASSERT_THAT(Toggle(Token41(), TokenStatus::kDisabled), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
  ASSERT_THAT(Toggle(Token41(), TokenStatus::kEnabled), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), IsOk());
}

TEST_F(TokenAdminTest, ToggleDoesNotUndoWhatAnOperatorDisabled) {
  BindReader();
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kDisabled), IsOk());
  ASSERT_THAT(Toggle(Token41(), TokenStatus::kDisabled), IsOk());
  ASSERT_THAT(Toggle(Token41(), TokenStatus::kEnabled), IsOk());
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
}

TEST_F(TokenAdminTest, DeletingTwiceIsOk) {
  BindReader();
  EXPECT_EQ(Get(Token41())->credential, Credential("reader"));
  EXPECT_THAT(Delete(Token41()), IsOk());
  EXPECT_THAT(Delete(Token41()), IsOk());
  EXPECT_EQ(Row(41).id, 0);
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(store_.GetCredential(Credential("reader")), RefusedWith(Reason::kUnknownCredential));
}

TEST_F(TokenAdminTest, TokenGoneAtThePortalIsForgottenHere) {
  BindReader();
  portal_.RemoveToken(41);
  EXPECT_THAT(Delete(Token41()), IsOk());
  EXPECT_THAT(store_.GetToken(Token41()), RefusedWith(Reason::kUnknownToken));
}

TEST_F(TokenAdminTest, FailedDeleteForgetsNothing) {
  BindReader();
  portal_.FailAt(2, Fault::kUnheard, true);
  EXPECT_THAT(Delete(Token41()), RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_THAT(custody_->Lookup(Credential("reader")), testing::Not(RefusedWith(Reason::kUnknownCredential)));
}

TEST_F(TokenAdminTest, GrantForOneTypeDoesNotReachTheOther) {
  EXPECT_THAT(Get(Token41(), "bearers"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Toggle(Token41(), TokenStatus::kEnabled, "bearers"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Delete(Token41(), "bearers"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(UpdateNote({.name = Token41(), .note = "n"}, "bearers"), RefusedWith(Reason::kNoGrant));
  EXPECT_EQ(Row(41).status, TokenStatus::kDisabled);
  EXPECT_THAT(Get(Token41(32, 42), "bearers"), IsOk());
}

TEST_F(TokenAdminTest, StrangerSendsNothing) {
  EXPECT_THAT(Get(Token41(), "stranger"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(Delete(Token41(33, 43)), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(portal_.requests(), IsEmpty());
}

TEST_F(TokenAdminTest, ChangesAreOnDiskInTheAuditFirst) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  EXPECT_THAT(Toggle(Token41(), TokenStatus::kEnabled), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(Delete(Token41()), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(UpdateNote({.name = Token41(), .note = "n"}), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(portal_.requests(), IsEmpty());
  audit_log_.Set(audit::RecordingAuditLog::Mode::kWorks);
  ASSERT_THAT(Delete(Token41()), IsOk());
  const auto records = audit_log_.records();
  const auto intent = records[records.size() - 2];
  EXPECT_EQ(intent.http_method, "DELETE");
  EXPECT_EQ(intent.resource, "portals/acme/admins/32/tokens/41");
  EXPECT_EQ(audit_log_.durabilities()[records.size() - 2], audit::Durability::kOnDisk);
}

}  // namespace
}  // namespace lmbroker::core
