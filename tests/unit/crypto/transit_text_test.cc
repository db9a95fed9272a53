#include "service/crypto/transit_text.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lmbroker::crypto {
namespace {

using testing::Eq;
using testing::Optional;

// As OpenBao 2.4 answers.
constexpr std::string_view kEncrypted =
    R"({"request_id":"5e2b2c1e-9d5f-0f1c-2a3b-6a7d8e9f0a1b","lease_id":"","renewable":false,"lease_duration":0,)"
    R"("data":{"ciphertext":"vault:v12:AAEC+/8=","key_version":12},"wrap_info":null,"warnings":["a \"quoted\" \\ one"],)"
    R"("auth":null,"mount_type":"transit"})"
    "\n";
constexpr std::string_view kDecrypted =
    R"({"lease_duration":0,"data":{"plaintext":"a2V5"},"wrap_info":null,"nested":{"data":{"plaintext":"b3RoZXI="}}})";

TEST(TransitTextTest, RequestsAreWhatTheEngineTakes) {
  EXPECT_EQ(EncryptRequest(Secret("key"), "bound").Reveal(), R"({"plaintext":"a2V5","associated_data":"Ym91bmQ="})");
  EXPECT_EQ(DecryptRequest("vault:v1:AA==", "bound").Reveal(),
            R"({"ciphertext":"vault:v1:AA==","associated_data":"Ym91bmQ="})");
}

TEST(TransitTextTest, RepliesAreRead) {
  EXPECT_THAT(CiphertextOf(kEncrypted), Optional(Eq("vault:v12:AAEC+/8=")));
  const auto plaintext = PlaintextOf(kDecrypted);
  ASSERT_TRUE(plaintext.has_value());
  EXPECT_EQ(plaintext->Reveal(), "key");
}

TEST(TransitTextTest, AnythingElseIsNothing) {
  for (const std::string_view reply :
       {"", "{}", "null", "[]", R"({"data":null})", R"({"data":{}})", R"({"data":{"plaintext":1}})",
        R"({"data":{"plaintext":"a2V5"})", R"({"data":{"plaintext":"a2V5"}}x)", R"({"data":{"plaintext":"a2V"}})",
        R"({"plaintext":"a2V5"})", R"({"data":{"plaintext":"a2V5"},"data":{"plaintext":"a2V5"}})", "<html>"}) {
    EXPECT_FALSE(PlaintextOf(reply).has_value()) << reply;
    EXPECT_FALSE(CiphertextOf(reply).has_value()) << reply;
  }
  for (std::size_t size = 0; size < kDecrypted.size(); ++size) {
    EXPECT_FALSE(PlaintextOf(kDecrypted.substr(0, size)).has_value()) << size;
  }
}

TEST(TransitTextTest, VersionIsThatOfThePrefix) {
  EXPECT_THAT(VersionOf("vault:v1:AA=="), Optional(Eq(1U)));
  EXPECT_THAT(VersionOf("vault:v4294967295:AA=="), Optional(Eq(4294967295U)));
  for (const std::string_view text :
       {"", "vault", "vault:v", "vault:v1", "vault:v1:", "vault:v0:AA==", "vault:v01:AA==", "vault:v-1:AA==",
        "vault:v4294967296:AA==", "vault:1:AA==", "Vault:v1:AA==", "vault:v1:A\"", "vault:v1:A A", "vault:v1AA=="}) {
    EXPECT_FALSE(VersionOf(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace lmbroker::crypto
