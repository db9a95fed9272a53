#include "client/cli/print.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/json.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Token SampleToken() {
  v1::Token token;
  token.set_name("portals/acme/admins/32/tokens/41");
  token.set_type(v1::LMV1);
  token.set_status(v1::ENABLED);
  token.set_note("inventory");
  token.set_access_id("aB3dE5fG7hJ9kL2mN4pQ");
  token.set_admin_name("svc-broker");
  token.add_roles("readonly");
  token.add_roles("ack");
  token.set_custody(v1::BROKER);
  token.set_credential("portals/acme/credentials/inventory-reader");
  token.mutable_created_on()->set_seconds(1700000000);
  return token;
}

TEST(PrintTest, TokenIsAListOfItsFields) {
  EXPECT_EQ(ToText(SampleToken()),
            "name          acme/32/41\n"
            "type          LMV1\n"
            "status        ENABLED\n"
            "note          inventory\n"
            "access id     aB3dE5fG7hJ9kL2mN4pQ\n"
            "custody       BROKER\n"
            "credential    acme/inventory-reader\n"
            "admin         svc-broker\n"
            "roles         readonly, ack\n"
            "created on    2023-11-14T22:13:20Z\n"
            "last used on  never\n");
}

TEST(PrintTest, TokensAreATable) {
  v1::ListTokensResponse list;
  *list.add_tokens() = SampleToken();
  v1::Token& foreign = *list.add_tokens();
  foreign.set_name("portals/acme/admins/7/tokens/1");
  foreign.set_type(v1::BEARER);
  foreign.set_status(v1::DISABLED);
  foreign.set_custody(v1::FOREIGN);
  foreign.set_admin_name("eve");
  foreign.set_note("\x1b[2Jgone");
  EXPECT_EQ(ToText(list),
            "TOKEN       TYPE    STATUS    CUSTODY  CREDENTIAL             ADMIN       LAST USED  NOTE\n"
            "acme/32/41  LMV1    ENABLED   BROKER   acme/inventory-reader  svc-broker  never      inventory\n"
            "acme/7/1    BEARER  DISABLED  FOREIGN  -                      eve         never      \\x1b[2Jgone\n");
}

TEST(PrintTest, EmptyListIsItsHeader) {
  EXPECT_THAT(ToText(v1::ListTokensResponse()), HasSubstr("TOKEN"));
  EXPECT_THAT(ToText(v1::ListCredentialsResponse()), HasSubstr("CREDENTIAL"));
}

TEST(PrintTest, HandedOverSecretIsShownAndSaidToBeTheOnlyTime) {
  v1::CreateTokenResponse created;
  *created.mutable_token() = SampleToken();
  EXPECT_THAT(ToText(created), Not(HasSubstr("access key")));
  created.mutable_handed_over_secret()->set_access_key("k-e-y");
  EXPECT_THAT(ToText(created), HasSubstr("access key    k-e-y\n"));
  EXPECT_THAT(ToText(created), HasSubstr("cannot be shown again"));
}

TEST(PrintTest, RefusedExplanationNamesWhatAlmostMatched) {
  v1::ExplainAccessResponse answer;
  answer.set_reason("NO_GRANT");
  v1::NearMiss& miss = *answer.add_nearest();
  miss.set_rule("inventory.forward[0]");
  miss.set_failed("methods: has GET, call is DELETE");
  EXPECT_EQ(ToText(answer),
            "allowed  no\n"
            "reason   NO_GRANT\n"
            "\n"
            "NEAREST RULE          WHAT FAILED\n"
            "inventory.forward[0]  methods: has GET, call is DELETE\n");
}

TEST(PrintTest, StatusShowsPortalsBudgetsAndCredentials) {
  v1::GetStatusResponse status;
  status.set_version("0.1.0");
  v1::PortalStatus& portal = *status.add_portals();
  portal.set_portal("portals/acme");
  portal.set_master_state(v1::PortalStatus::READY);
  EXPECT_THAT(ToText(status), HasSubstr("acme    not tried yet  READY   -        -           0\n"));
  EXPECT_THAT(ToText(status), Not(HasSubstr("REMAINING")));
  portal.set_reachable(true);
  v1::BudgetStatus& budget = *portal.add_budgets();
  budget.set_pattern("/device/devices");
  budget.set_method("GET");
  budget.set_limit(500);
  budget.set_remaining(499);
  budget.mutable_window()->set_seconds(60);
  v1::CredentialStatus& credential = *status.add_credentials();
  credential.set_credential("portals/acme/credentials/acme-root");
  credential.set_state(v1::ACTIVE);
  credential.mutable_age()->set_seconds(3600);
  EXPECT_THAT(ToText(status), HasSubstr("acme    GET     /device/devices  499        500    1m      0\n"));
  EXPECT_THAT(ToText(status), HasSubstr("acme/acme-root  ACTIVE  1h\n"));
}

TEST(PrintTest, EnumerationValueOfANewerBrokerIsNoCrash) {
  v1::Token token = SampleToken();
  token.set_custody(static_cast<v1::Custody>(99));
  EXPECT_THAT(ToText(token), Not(HasSubstr("custody")));
}

TEST(JsonTest, DefaultsAreThereAndNamesAreProto3Json) {
  EXPECT_THAT(ToJson(v1::ExplainAccessResponse()),
              IsOkAndHolds(AllOf(HasSubstr("\"allowed\": false"), HasSubstr("\"nearest\": []"))));
  EXPECT_THAT(ToJson(SampleToken()), IsOkAndHolds(AllOf(HasSubstr("\"accessId\": \"aB3dE5fG7hJ9kL2mN4pQ\""),
                                                        HasSubstr("\"createdOn\": \"2023-11-14T22:13:20Z\""))));
}

TEST(JsonTest, TimeBeyondJsonIsAnError) {
  v1::Token token;
  token.mutable_created_on()->set_seconds(1'000'000'000'000'000);
  EXPECT_THAT(ToJson(token), StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace lmbroker::cli
