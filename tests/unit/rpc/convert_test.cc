#include "service/rpc/convert.h"

#include <cstdint>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

#include "lmbroker/v1/credential_service.pb.h"
#include "lmbroker/v1/forward_service.pb.h"
#include "lmbroker/v1/token_service.pb.h"
#include "service/base/error.h"
#include "service/rpc/credential_convert.h"
#include "service/rpc/forward_convert.h"
#include "service/rpc/lease_convert.h"
#include "service/rpc/token_convert.h"

namespace lmbroker::rpc {
namespace {

template <class T>
std::string FieldOf(const absl::StatusOr<T>& result) {
  EXPECT_TRUE(IsRefusal(result.status(), Reason::kFieldInvalid)) << result.status();
  return MetadataOf(result.status())["field"];
}

TEST(ConvertTest, UnknownEnumNumbersAreRefused) {
  EXPECT_EQ(FieldOf(FromProto(static_cast<v1::TokenType>(7), "type")), "type");
  EXPECT_EQ(FieldOf(FromProto(static_cast<v1::TokenStatus>(-1), "status")), "status");
  EXPECT_EQ(FieldOf(FromProto(static_cast<v1::Api>(99), "api")), "api");
}

TEST(ConvertTest, UnspecifiedIsNoValueAndManagement) {
  EXPECT_EQ(*FromProto(v1::TOKEN_TYPE_UNSPECIFIED, "type"), std::nullopt);
  EXPECT_EQ(*FromProto(v1::TOKEN_STATUS_UNSPECIFIED, "status"), std::nullopt);
  EXPECT_EQ(*FromProto(v1::API_UNSPECIFIED, "api"), http::Api::kManagement);
}

TEST(ConvertTest, StatusKeepsLmsOwnNumbers) {
  EXPECT_EQ(static_cast<int>(ToProto(TokenStatus::kDisabled)), 1);
  EXPECT_EQ(static_cast<int>(ToProto(TokenStatus::kEnabled)), 2);
}

TEST(ConvertTest, TimesBeforeTheEpochKeepNanosPositive) {
  google::protobuf::Timestamp out;
  ToProto(absl::UnixEpoch() - absl::Milliseconds(1500), out);
  EXPECT_EQ(out.seconds(), -2);
  EXPECT_EQ(out.nanos(), 500'000'000);
}

TEST(ConvertTest, DurationsRoundTrip) {
  for (const absl::Duration value :
       {absl::ZeroDuration(), absl::Milliseconds(1500), -absl::Milliseconds(1500), absl::Hours(720)}) {
    google::protobuf::Duration wire;
    ToProto(value, wire);
    EXPECT_EQ(*FromProto(wire, "ttl"), value);
  }
}

TEST(ConvertTest, MalformedDurationsAreRefused) {
  struct Parts {
    std::int64_t seconds;
    std::int32_t nanos;
  };
  for (const auto& [seconds, nanos] :
       {Parts{1, -1}, Parts{-1, 1}, Parts{0, 1'000'000'000}, Parts{std::numeric_limits<std::int64_t>::max(), 0}}) {
    google::protobuf::Duration wire;
    wire.set_seconds(seconds);
    wire.set_nanos(nanos);
    EXPECT_EQ(FieldOf(FromProto(wire, "ttl")), "ttl") << seconds << " " << nanos;
  }
}

TEST(ConvertTest, PageSizeFollowsAip158) {
  EXPECT_EQ(*PageSize(0), 50);
  EXPECT_EQ(*PageSize(7), 7);
  EXPECT_EQ(*PageSize(1001), 1000);
  EXPECT_EQ(*PageSize(std::numeric_limits<int>::max()), 1000);
  EXPECT_EQ(FieldOf(PageSize(-1)), "page_size");
}

TEST(TokenConvertTest, AnAbsentTokenIsLmsEmptyCreate) {
  v1::CreateTokenRequest request;
  request.set_parent("portals/acme/admins/32");
  const auto wanted = FromProto(request);
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  EXPECT_EQ(wanted->type, TokenType::kLmv1);
  EXPECT_EQ(wanted->status, TokenStatus::kEnabled);
  EXPECT_EQ(wanted->note, "");
  EXPECT_FALSE(wanted->credential.has_value());
}

TEST(TokenConvertTest, ATtlOfZeroIsStillATtl) {
  v1::CreateTokenRequest request;
  request.set_parent("portals/acme/admins/32");
  request.mutable_ttl();
  EXPECT_TRUE(FromProto(request)->ttl.has_value());
}

TEST(LeaseConvertTest, StateSaysWhetherTheTimeHasCome) {
  const absl::Time end = absl::FromUnixSeconds(1'700'000'000);
  store::LeaseRecord lease{
      .token = {AdminName(*PortalName::FromId("acme", "portal"), 32), 41}, .expire_time = end, .next_time = end};
  const auto state_at = [&](absl::Time now) {
    v1::Lease out;
    ToProto(lease, now, out);
    EXPECT_EQ(out.token(), "portals/acme/admins/32/tokens/41");
    EXPECT_EQ(out.has_disable_time(), lease.disable_time.has_value());
    return out.state();
  };
  EXPECT_EQ(state_at(end - absl::Nanoseconds(1)), v1::Lease::ACTIVE);
  EXPECT_EQ(state_at(end), v1::Lease::EXPIRED);
  lease.state = store::LeaseState::kStuck;
  EXPECT_EQ(state_at(end), v1::Lease::STUCK);
  lease.state = store::LeaseState::kDisabled;
  lease.disable_time = end;
  EXPECT_EQ(state_at(end), v1::Lease::DISABLED);
}

TEST(LeaseConvertTest, AListNamesItsPortal) {
  v1::ListLeasesRequest request;
  EXPECT_EQ(FieldOf(FromProto(request)), "portal");
  request.set_portal("portals/acme");
  request.set_page_size(-1);
  EXPECT_EQ(FieldOf(FromProto(request)), "page_size");
  request.set_page_size(5000);
  EXPECT_EQ(FromProto(request)->page_size, 1000);
}

TEST(TokenConvertTest, ToggleWithoutTheWantedStatusIsRefused) {
  v1::ToggleTokenRequest request;
  request.set_name("portals/acme/admins/32/tokens/41");
  EXPECT_EQ(FieldOf(FromProto(request)), "status");
}

TEST(TokenConvertTest, AListNamesAPortalOrAnAdmin) {
  v1::ListTokensRequest request;
  request.set_parent("portals/acme");
  EXPECT_FALSE(FromProto(request)->admin.has_value());
  request.set_parent("portals/acme/admins/32");
  EXPECT_EQ(FromProto(request)->admin, 32);
  for (const char* bad : {"", "portals/", "portals/acme/admins", "portals/acme/admins/0", "portals/ACME", "acme"}) {
    request.set_parent(bad);
    EXPECT_EQ(FieldOf(FromProto(request)), "parent") << bad;
  }
}

TEST(TokenConvertTest, WhatIsNotUtf8FromThePortalIsShownEscaped) {
  const auto portal = PortalName::Parse("portals/acme", "portal");
  v1::Token out;
  ToProto(core::Token{.name = TokenName(AdminName(*portal, 32), 41), .lm = {.note = "caf\xe9"}}, out);
  EXPECT_EQ(out.note(), "\"caf\\xe9\"");
}

TEST(TokenConvertTest, OnlyAHandOverHasASecret) {
  const auto portal = PortalName::Parse("portals/acme", "portal");
  const core::Token token{.name = TokenName(AdminName(*portal, 32), 41),
                          .lm = {.type = TokenType::kBearer, .access_id = "id"}};
  v1::CreateTokenResponse kept;
  ToProto(core::CreatedToken{.token = token, .handed_over = std::nullopt}, kept);
  EXPECT_FALSE(kept.has_handed_over_secret());
  v1::CreateTokenResponse handed;
  ToProto(core::CreatedToken{.token = token, .handed_over = Secret("lmb_invented")}, handed);
  EXPECT_EQ(handed.handed_over_secret().bearer(), "lmb_invented");
  EXPECT_FALSE(handed.handed_over_secret().has_access_key());
}

TEST(TokenConvertTest, ARotationShowsTheNewTokenAndNamesTheOldOne) {
  v1::RotateTokenRequest request;
  EXPECT_EQ(FieldOf(FromProto(request)), "name");
  request.set_name("portals/acme/admins/32/tokens/41");
  request.set_request_id("x");
  const auto wanted = FromProto(request);
  ASSERT_TRUE(wanted.ok());
  EXPECT_EQ(wanted->request_id, "x");
  v1::RotateTokenResponse response;
  ToProto(core::RotatedToken{.token = {.name = TokenName(wanted->name.admin(), 42)}, .retiring = wanted->name},
          response);
  EXPECT_EQ(response.retiring(), request.name());
  EXPECT_EQ(response.token().name(), "portals/acme/admins/32/tokens/42");
}

TEST(CredentialConvertTest, AnImportNeedsItsType) {
  v1::ImportCredentialRequest request;
  request.set_parent("portals/acme");
  request.set_credential_id("root");
  EXPECT_EQ(FieldOf(FromProto(request)), "type");
}

TEST(ForwardConvertTest, ACallIsAsItsCallerSays) {
  v1::ForwardRequest request;
  request.set_portal("portals/acme");
  request.set_method("GET");
  request.set_path("/device/devices");
  const auto plain = ParseForward(request, {});
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain->fresh);
  EXPECT_FALSE(plain->idempotent);
  request.set_fresh(true);
  EXPECT_TRUE(ParseForward(request, {})->fresh);
}

TEST(ForwardConvertTest, ACredentialOfAnotherPortalIsRefused) {
  v1::ForwardRequest request;
  request.set_portal("portals/acme");
  request.set_credential("portals/other/credentials/reader");
  request.set_method("GET");
  request.set_path("/device/devices");
  EXPECT_EQ(FieldOf(ParseForward(request, {})), "credential");
}

}  // namespace
}  // namespace lmbroker::rpc
