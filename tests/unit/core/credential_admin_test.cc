#include "service/core/credential_admin.h"

#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class CredentialAdminTest : public CoreTest {
 protected:
  absl::StatusOr<store::CredentialRecord> Import(NewCredential wanted, std::string_view caller = "operators") {
    const auto call = As(caller);
    return admin_.Import(call->context(), std::move(wanted));
  }
  NewCredential Reader(std::string_view id = "reader") {
    return {.name = Credential(id), .access_id = "aB3dE5fG7hJ9kL2mN4pQ", .secret = Secret("lma_Reader(Key)^~")};
  }
  absl::StatusOr<Probe> TryOut(std::string_view id) {
    const auto call = As("operators");
    return admin_.TryOut(call->context(), Credential(id));
  }

  CredentialAdmin admin_{{.portal = PortalParts(), .custody = *custody_, .random = random_}};
};

TEST_F(CredentialAdminTest, ImportSealsAndShowsNoSecret) {
  const auto record = Import(Reader());
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->access_id, "aB3dE5fG7hJ9kL2mN4pQ");
  EXPECT_EQ(record->status, TokenStatus::kEnabled);
  EXPECT_THAT(record->secret.bytes, IsEmpty());
  EXPECT_EQ((*custody_->Lookup(Credential("reader")))->key.secret.Reveal(), "lma_Reader(Key)^~");
  EXPECT_THAT(portal_.requests(), IsEmpty());
  EXPECT_THAT(Import(Reader()), RefusedWith(Reason::kCredentialExists));
}

TEST_F(CredentialAdminTest, BearerComesWithOrWithoutItsWord) {
  int count = 0;
  for (const std::string value : {"lmb_value==", "Bearer lmb_value==", "bearer lmb_value=="}) {
    const std::string id = "b" + std::to_string(++count);
    ASSERT_THAT(Import({.name = Credential(id), .type = TokenType::kBearer, .secret = Secret(value)}), IsOk());
    EXPECT_EQ((*custody_->Lookup(Credential(id)))->key.secret.Reveal(), "lmb_value==");
  }
}

TEST_F(CredentialAdminTest, BadFormIsRefusedAndNeverEchoed) {
  const auto with = [&](auto change) {
    NewCredential wanted = Reader();
    change(wanted);
    return Import(std::move(wanted));
  };
  const std::string secrets[] = {"",       "with blank",          "line\nbreak", "tab\tbed", std::string("nul\0x", 5),
                                 "ümlaut", std::string(4097, 'x')};
  for (const std::string& secret : secrets) {
    const auto result = with([&](NewCredential& wanted) { wanted.secret = Secret(secret); });
    EXPECT_THAT(result, RefusedWith(Reason::kFieldInvalid));
    EXPECT_EQ(MetadataOf(result.status())["field"], "secret");
    const bool echoed = !secret.empty() && result.status().ToString().find(secret) != std::string::npos;
    EXPECT_FALSE(echoed);
  }
  for (const std::string& id : {std::string(), std::string("a b"), std::string("a:b"), std::string(129, 'a')}) {
    EXPECT_THAT(with([&](NewCredential& wanted) { wanted.access_id = id; }), RefusedWith(Reason::kFieldInvalid)) << id;
  }
  EXPECT_THAT(
      with([&](NewCredential& wanted) { wanted.token = TokenName(AdminName(*PortalName::FromId("other", ""), 1), 1); }),
      RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(Import({.name = Credential("b"), .type = TokenType::kBearer, .secret = Secret("Bearer ")}),
              RefusedWith(Reason::kFieldInvalid));
}

TEST_F(CredentialAdminTest, OnlyForOperators) {
  EXPECT_THAT(Import(Reader(), "inventory"), RefusedWith(Reason::kNoGrant));
  const auto call = As("inventory");
  EXPECT_THAT(admin_.Get(call->context(), Credential("root")), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(admin_.List(call->context(), {.portal = Acme()}), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(admin_.Toggle(call->context(), Credential("root"), TokenStatus::kDisabled),
              RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(admin_.Delete(call->context(), Credential("root")), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(admin_.TryOut(call->context(), Credential("root")), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(portal_.requests(), IsEmpty());
}

TEST_F(CredentialAdminTest, UnknownNamesAreSaid) {
  const auto call = As("operators");
  const auto elsewhere = *CredentialName::FromId(*PortalName::FromId("other", ""), "x", "");
  EXPECT_THAT(admin_.Get(call->context(), elsewhere), RefusedWith(Reason::kUnknownPortal));
  EXPECT_THAT(TryOut("nobody"), RefusedWith(Reason::kUnknownCredential));
}

TEST_F(CredentialAdminTest, NothingChangesWhenTheAuditIsDown) {
  audit_log_.Set(audit::RecordingAuditLog::Mode::kFails);
  EXPECT_THAT(Import(Reader()), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_FALSE(custody_->Has(Credential("reader")));
  const auto toggle = As("operators");
  EXPECT_THAT(admin_.Toggle(toggle->context(), Credential("root"), TokenStatus::kDisabled),
              RefusedWith(Reason::kAuditUnavailable));
  const auto remove = As("operators");
  EXPECT_THAT(admin_.Delete(remove->context(), Credential("root")), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(custody_->Lookup(Credential("root")), IsOk());
}

TEST_F(CredentialAdminTest, ToggleAndDelete) {
  ASSERT_THAT(Import(Reader()), IsOk());
  const auto off = As("operators");
  EXPECT_EQ(admin_.Toggle(off->context(), Credential("reader"), TokenStatus::kDisabled)->status,
            TokenStatus::kDisabled);
  EXPECT_THAT(custody_->Lookup(Credential("reader")), RefusedWith(Reason::kCredentialDisabled));
  for (int i = 0; i < 2; ++i) {
    const auto call = As("operators");
    EXPECT_THAT(admin_.Delete(call->context(), Credential("reader")), IsOk());
  }
  Restart();
  EXPECT_FALSE(custody_->Has(Credential("reader")));
}

TEST_F(CredentialAdminTest, ListIsPaged) {
  for (const char* id : {"c", "a", "b"}) ASSERT_THAT(Import(Reader(id)), IsOk());
  std::vector<std::string> ids;
  std::string page_token;
  do {
    const auto call = As("operators");
    const auto page = admin_.List(call->context(), {.portal = Acme(), .page_size = 2, .page_token = page_token});
    ASSERT_THAT(page, IsOk());
    for (const auto& record : page->credentials) ids.push_back(record.name.id());
    page_token = page->next_page_token;
  } while (!page_token.empty());
  EXPECT_THAT(ids, testing::ElementsAre("a", "b", "c", "root"));
  const auto call = As("operators");
  EXPECT_THAT(admin_.List(call->context(), {.portal = Acme(), .page_token = "x"}), RefusedWith(Reason::kFieldInvalid));
}

TEST_F(CredentialAdminTest, ProbeTellsHowThePortalTakesTheKey) {
  ASSERT_THAT(Import(Reader()), IsOk());
  const auto probe = TryOut("reader");
  ASSERT_THAT(probe, IsOk());
  EXPECT_EQ(probe->result, ProbeResult::kWorks);
  EXPECT_EQ(probe->latency, absl::ZeroDuration());
  EXPECT_EQ(probe->clock_skew, absl::Seconds(60) + absl::Milliseconds(500));
  const struct {
    int status;
    ProbeResult result;
  } cases[] = {{200, ProbeResult::kWorks},        {401, ProbeResult::kWrongKeyOrDisabled},
               {403, ProbeResult::kNoPermission}, {404, ProbeResult::kUnreachable},
               {429, ProbeResult::kUnreachable},  {500, ProbeResult::kUnreachable}};
  for (const auto& c : cases) {
    portal_.AnswerAll(c.status);
    EXPECT_EQ(TryOut("reader")->result, c.result) << c.status;
    clock_.Advance(absl::Minutes(1));  // what a 429 says holds for that long
  }
  portal_.FailAt(static_cast<int>(portal_.requests().size()) + 1, FakePortal::Fault::kTimeout);
  const auto lost = TryOut("reader");
  ASSERT_THAT(lost, IsOk());
  EXPECT_EQ(lost->result, ProbeResult::kUnreachable);
  EXPECT_FALSE(lost->latency.has_value());
}

TEST_F(CredentialAdminTest, ProbeWorksOnADisabledCredentialAndAsksForWhatTheKeyIsFor) {
  ASSERT_THAT(Import(Reader()), IsOk());
  ASSERT_THAT(custody_->SetStatus(Credential("reader"), TokenStatus::kDisabled), IsOk());
  EXPECT_EQ(TryOut("reader")->result, ProbeResult::kWorks);
  EXPECT_EQ(TryOut("root")->result, ProbeResult::kWorks);
  ASSERT_THAT(portal_.requests(), SizeIs(2));
  EXPECT_THAT(portal_.requests()[0], testing::HasSubstr("/device/devices?"));
  EXPECT_THAT(portal_.requests()[1], testing::HasSubstr("/setting/admins/apitokens?"));
}

}  // namespace
}  // namespace lmbroker::core
