#include "service/core/portal_session.h"

#include "service/portal/token_requests.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using Fault = FakePortal::Fault;

class PortalSessionTest : public CoreTest {
 protected:
  absl::StatusOr<PortalSession> Begin(Call& call, const http::CanonicalRequest& main) {
    const auto grant = policy_.Get()->AuthorizeOperator(call.context().caller, Acme());
    if (!grant.ok()) return grant.status();
    return PortalSession::Begin(PortalParts(), call.context(), *grant, main);
  }

  // One request in a session of its own.
  absl::Status SendOne(http::CanonicalRequest request, portal::Effect effect) {
    const auto call = As("operators");
    auto session = Begin(*call, request);
    if (!session.ok()) return session.status();
    return session->Send(std::move(request), effect, Reason::kUnknownToken).status();
  }
  absl::Status SendList() { return SendOne(*portal::ListTokens({}), portal::Effect::kRepeatable); }
  absl::Status SendPatch() { return SendOne(*portal::PatchNote(32, 41, "n"), portal::Effect::kRepeatable); }
  absl::Status SendCreate() {
    return SendOne(*portal::CreateToken(32, TokenType::kLmv1, "n", TokenStatus::kDisabled), portal::Effect::kCreate);
  }
};

TEST_F(PortalSessionTest, NothingIsSentWhenTheAuditIsDown) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  EXPECT_THAT(SendCreate(), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(SendList(), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_TRUE(portal_.requests().empty());
}

TEST_F(PortalSessionTest, IntentIsRecordedBeforeTheFirstRequest) {
  portal_.OnRequest([&](const std::string&) {
    ASSERT_EQ(audit_log_.records().size(), 1U);
    const audit::Record record = audit_log_.records()[0];
    EXPECT_EQ(record.kind, audit::Kind::kIntent);
    EXPECT_EQ(audit_log_.durabilities()[0], audit::Durability::kOnDisk);
    EXPECT_EQ(record.http_method, "POST");
    EXPECT_EQ(record.path, "/setting/admins/32/apitokens");
    EXPECT_EQ(record.credential, "portals/acme/credentials/root");
    EXPECT_EQ(record.rule, "operators.operator");
  });
  EXPECT_THAT(SendCreate(), IsOk());
}

TEST_F(PortalSessionTest, SessionOfAReadChangesNothing) {
  const auto call = As("operators");
  auto session = Begin(*call, *portal::ListTokens({}));
  ASSERT_THAT(session, IsOk());
  EXPECT_THAT(session->Exchange(*portal::DeleteToken(32, 41), portal::Effect::kRepeatable),
              RefusedWith(Reason::kInternal));
  EXPECT_TRUE(portal_.requests().empty());
}

TEST_F(PortalSessionTest, ReadsAndRepeatableChangesAreRepeatedWhenLost) {
  for (const Fault fault : {Fault::kNotSent, Fault::kUnheard, Fault::kAnswerLost}) {
    portal_.AddToken({.id = 41, .admin = 32});
    const int before = static_cast<int>(portal_.requests().size());
    portal_.FailAt(before + 1, fault);
    EXPECT_THAT(SendPatch(), IsOk());
    EXPECT_EQ(portal_.requests().size(), static_cast<std::size_t>(before + 2));
  }
}

TEST_F(PortalSessionTest, RepeatsAreBounded) {
  portal_.FailAt(1, Fault::kNotSent, true);
  EXPECT_THAT(SendList(), RefusedWith(Reason::kPortalUnreachable));
  EXPECT_EQ(portal_.requests().size(), 4U);
}

TEST_F(PortalSessionTest, MutationIsSentAtMostOnce) {
  for (const Fault fault : {Fault::kUnheard, Fault::kAnswerLost, Fault::kTimeout}) {
    const int before = portal_.CountOf("POST");
    portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, fault, true);
    EXPECT_THAT(SendCreate(), RefusedWith(Reason::kOutcomeUnknown));
    EXPECT_EQ(portal_.CountOf("POST"), before + 1);
  }
}

TEST_F(PortalSessionTest, CreateThatNeverLeftIsRepeated) {
  portal_.FailAt(1, Fault::kNotSent);
  EXPECT_THAT(SendCreate(), IsOk());
  EXPECT_EQ(portal_.tokens().size(), 1U);
}

TEST_F(PortalSessionTest, LostChangeIsOutcomeUnknownAndLostReadIsNot) {
  portal_.FailAt(1, Fault::kUnheard, true);
  EXPECT_THAT(SendPatch(), RefusedWith(Reason::kOutcomeUnknown));
  EXPECT_THAT(SendList(), RefusedWith(Reason::kPortalUnreachable));
}

TEST_F(PortalSessionTest, MissingMasterIsNoMaster) {
  ASSERT_THAT(custody_->Remove(Credential("root")), IsOk());
  EXPECT_THAT(SendList(), RefusedWith(Reason::kNoMaster));
  // Imported, but not as a master.
  ASSERT_THAT(
      custody_->Import({.name = Credential("root"), .create_time = clock_.Now(), .secret = {}}, Secret("lma_x")),
      IsOk());
  EXPECT_THAT(SendList(), RefusedWith(Reason::kNoMaster));
  EXPECT_TRUE(portal_.requests().empty());
}

TEST_F(PortalSessionTest, UnconfiguredPortalsAndMastersAreRefused) {
  portals_ = Portals({{Acme(), std::nullopt}});
  EXPECT_THAT(SendList(), RefusedWith(Reason::kNoMaster));
  portals_ = Portals({});
  EXPECT_THAT(SendList(), RefusedWith(Reason::kUnknownPortal));
}

TEST_F(PortalSessionTest, RefusedMasterIsSaid) {
  portal_.AnswerAll(401, R"({"errorMessage":"Authentication failed","errorCode":1401})");
  EXPECT_THAT(SendList(), RefusedWith(Reason::kMasterRefused));
}

TEST_F(PortalSessionTest, MasterKeyIsScrubbedFromErrors) {
  portal_.AnswerAll(400, R"({"errorCode":1400,"errorMessage":"bad key )" + std::string(kMasterKey) + "\"}");
  const absl::Status status = SendList();
  EXPECT_EQ(MetadataOf(status)["error_message"], "bad key ****");
}

TEST_F(PortalSessionTest, NothingIsSentAfterDeadlineOrCancellation) {
  const auto late = As("operators");
  auto session = Begin(*late, *portal::ListTokens({}));
  clock_.Advance(absl::Seconds(31));
  EXPECT_THAT(session->Exchange(*portal::ListTokens({}), portal::Effect::kRepeatable), RefusedWith(Reason::kDeadline));
  // What must be done all the same has time of its own.
  EXPECT_THAT(session->Detached(absl::Seconds(5)).Exchange(*portal::ListTokens({}), portal::Effect::kRepeatable),
              IsOk());

  const auto gone = As("operators");
  auto other = Begin(*gone, *portal::ListTokens({}));
  gone->Cancel();
  EXPECT_THAT(other->Exchange(*portal::ListTokens({}), portal::Effect::kRepeatable),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(portal_.requests().size(), 1U);
}

// A wait holds a thread, so it is short; what makes the portal safer finds room that others did not get.
TEST_F(PortalSessionTest, WhatIsUrgentHasRoomThatIsReserved) {
  EXPECT_THAT(SendPatch(), RefusedWith(Reason::kUnknownToken));  // an answer: the limit of 500 is known now
  const auto patch = *portal::PatchNote(32, 41, "n");
  const PortalName acme = Acme();
  const std::stop_token never;
  std::vector<portal::Permit> held;
  for (int i = 0; i < 474; ++i) {
    auto permit = budgets_.Acquire(
        {.portal = acme, .request = patch, .caller = "a", .deadline = absl::InfiniteDuration(), .cancelled = never},
        [](const absl::StatusOr<portal::Permit>&) { FAIL(); });
    ASSERT_TRUE(permit.has_value());
    held.push_back(**std::move(permit));
  }
  const std::size_t sent = portal_.requests().size();
  EXPECT_THAT(SendPatch(), RefusedWith(Reason::kBudgetExhausted));
  EXPECT_EQ(portal_.requests().size(), sent);

  const auto call = As("operators");
  auto session = Begin(*call, *portal::PatchNote(32, 41, "n"));
  ASSERT_THAT(session, IsOk());
  EXPECT_THAT(
      session->Urgent().Exchange(*portal::PatchStatus(32, 41, TokenStatus::kDisabled), portal::Effect::kRepeatable),
      IsOk());
}

TEST_F(PortalSessionTest, BudgetIsLearned) {
  ASSERT_THAT(SendList(), IsOk());
  ASSERT_EQ(budgets_.Of(Acme()).size(), 1U);
  EXPECT_EQ(budgets_.Of(Acme())[0].budget.remaining, 499);
}

}  // namespace
}  // namespace lmbroker::core
