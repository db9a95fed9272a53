#include "service/sign/lmv1_message.h"

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::sign {
namespace {

std::string TextOf(http::RequestParts parts) {
  const auto request = http::CanonicalRequest::Make(std::move(parts), {});
  EXPECT_THAT(request, IsOk());
  const Lmv1Message message = MakeLmv1Message(*request, "1700000000000");
  return fmt::format("{}{}{}{}", message.method, message.epoch, message.body, message.path);
}

TEST(Lmv1MessageTest, EpochIsInMilliseconds) {
  EXPECT_EQ(Lmv1Epoch(absl::FromUnixMillis(1'700'000'000'000)), "1700000000000");
  EXPECT_EQ(Lmv1Epoch(absl::FromUnixMicros(1'700'000'000'000'999)), "1700000000000");
}

// The strings to sign of logicmonitor-api, section 2.5.
TEST(Lmv1MessageTest, MethodEpochBodyAndPathInARow) {
  EXPECT_EQ(TextOf({.method = "POST",
                    .path = "/setting/admins/32/apitokens",
                    .query = {{"type", "bearer"}},
                    .body = R"({"note":"broker test","status":2})"}),
            R"(POST1700000000000{"note":"broker test","status":2}/setting/admins/32/apitokens)");
  EXPECT_EQ(TextOf({.method = "GET",
                    .path = "/setting/admins/apitokens",
                    .query = {{"size", "50"}, {"offset", "0"}, {"filter", "status:2"}}}),
            "GET1700000000000/setting/admins/apitokens");
}

TEST(Lmv1MessageTest, QueryIsNotSigned) {
  EXPECT_EQ(TextOf({.method = "GET", .path = "/device/devices", .query = {{"a", "b"}}}),
            TextOf({.method = "GET", .path = "/device/devices"}));
}

TEST(Lmv1MessageTest, PathIsSignedDecodedAndWithoutItsBase) {
  EXPECT_EQ(TextOf({.method = "GET", .path = "/device/a b/ü"}), "GET1700000000000/device/a b/ü");
  EXPECT_EQ(TextOf({.api = http::Api::kIngest, .method = "POST", .path = "/log/ingest", .body = "[]"}),
            "POST1700000000000[]/log/ingest");
}

TEST(Lmv1MessageTest, BodyIsSignedByteForByte) {
  EXPECT_EQ(TextOf({.method = "POST", .path = "/a", .body = " {} \n"}), "POST1700000000000 {} \n/a");
}

}  // namespace
}  // namespace lmbroker::sign
