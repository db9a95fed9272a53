#include "service/core/read_key.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/policy/parse.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

constexpr std::string_view kPolicy = R"(
callers:
  - name: one
    identities: ["dns:one"]
    forward:
      - { portal: acme, credential: reader, methods: [GET, POST], paths: ["/device/**"], share: 10s }
      - { portal: acme, credential: other, methods: [GET], paths: ["/device/**"], share: 10s }
      - { portal: acme, credential: reader, api: ingest, methods: [GET], paths: ["/device/**"], share: 10s }
  - name: two
    identities: ["dns:two"]
    forward:
      - { portal: acme, credential: reader, methods: [GET], paths: ["/device/**"], share: 10s }
)";

class ReadKeyTest : public CoreTest {
 protected:
  ReadKeyTest() {
    Issues issues("policy.yaml");
    engine_ = std::make_shared<const policy::Engine>(policy::ParsePolicy(kPolicy, {Acme()}, issues));
    EXPECT_TRUE(issues.empty());
    Import("reader");
    Import("other");
  }

  void Import(std::string_view id, std::string access_id = "readerAccessId123456") {
    EXPECT_THAT(custody_->Import({.name = Credential(id),
                                  .type = TokenType::kLmv1,
                                  .access_id = std::move(access_id),
                                  .create_time = clock_.Now(),
                                  .secret = {}},
                                 Secret("lma_Reader(Key)For{Tests}=987654321+^~")),
                IsOk());
  }

  static http::RequestParts Get() { return {.method = "GET", .path = "/device/devices"}; }

  std::string Key(http::RequestParts parts, std::string_view who = "one", std::string_view credential = "reader") {
    auto request = http::CanonicalRequest::Make(std::move(parts), {});
    EXPECT_THAT(request, IsOk());
    const auto call =
        engine_->Authorize({.identity = "dns:" + std::string(who), .name = std::string(who)}, Acme(),
                           Credential(credential), std::make_shared<const http::CanonicalRequest>(*std::move(request)));
    EXPECT_THAT(call, IsOk());
    return ReadKeyOf(*call, **custody_->Find(Credential(credential)), policy_digest_);
  }

  std::shared_ptr<const policy::Engine> engine_;
  std::string policy_digest_ = "digest";
};

TEST_F(ReadKeyTest, TheSameReadHasTheSameKey) {
  EXPECT_EQ(Key(Get()), Key(Get()));
  http::RequestParts traced = Get();
  traced.headers = {{"X-Request-Id", "7"}, {"traceparent", "00-1-2-01"}, {"tracestate", "a=b"}};
  EXPECT_EQ(Key(traced), Key(Get()));
  http::RequestParts headers = Get();
  headers.headers = {{"Accept", "a/b"}, {"Accept-Language", "de"}};
  http::RequestParts turned = Get();
  turned.headers = {{"accept-language", "de"}, {"ACCEPT", "a/b"}};
  EXPECT_EQ(Key(headers), Key(turned));
}

TEST_F(ReadKeyTest, WhatThePortalCanTellApartHasKeysOfItsOwn) {
  std::vector<http::RequestParts> reads(12, Get());
  reads[1].path = "/device/devices/7";
  reads[2].path = "/device/Devices";
  reads[3].query = {{"size", "1"}};
  reads[4].query = {{"size", "2"}};
  reads[5].query = {{"size", "1"}, {"offset", "0"}};
  reads[6].query = {{"offset", "0"}, {"size", "1"}};
  reads[7].api_version = 2;
  reads[8].headers = {{"Accept", "text/csv"}};
  reads[9].headers = {{"If-None-Match", "\"1\""}};
  reads[10].headers = {{"Accept-Language", "de"}};
  reads[11].headers = {{"Accept-Language", "fr"}};
  std::set<std::string> keys;
  for (const http::RequestParts& read : reads) keys.insert(Key(read));
  EXPECT_EQ(keys.size(), reads.size());
}

// Never across verdicts, though both callers may read the same with the same credential.
TEST_F(ReadKeyTest, RulesAndPoliciesHaveKeysOfTheirOwn) {
  const std::string key = Key(Get());
  EXPECT_NE(Key(Get(), "two"), key);
  policy_digest_ = "another";
  EXPECT_NE(Key(Get()), key);
}

TEST_F(ReadKeyTest, ApisHaveKeysOfTheirOwn) {
  http::RequestParts ingest = Get();
  ingest.api = http::Api::kIngest;
  ingest.api_version = 3;
  EXPECT_NE(Key(ingest), Key(Get()));
}

TEST_F(ReadKeyTest, CredentialsHaveKeysOfTheirOwn) { EXPECT_NE(Key(Get(), "one", "other"), Key(Get())); }

TEST_F(ReadKeyTest, ASecretThatIsImportedAgainIsAnotherOne) {
  const std::string key = Key(Get());
  ASSERT_THAT(custody_->Remove(Credential("reader")), IsOk());
  clock_.Advance(absl::Microseconds(1));
  Import("reader");
  EXPECT_NE(Key(Get()), key);
}

// What is learned of a credential makes a new entry of it, with the same secret.
TEST_F(ReadKeyTest, ASecretStaysTheSameWhenItsUseIsNoted) {
  const std::string key = Key(Get());
  ASSERT_THAT(custody_->Lookup(Credential("reader")), IsOk());
  ASSERT_THAT(custody_->SaveUses(), IsOk());
  EXPECT_EQ(Key(Get()), key);
}

TEST_F(ReadKeyTest, AKeyStartsWithItsResourceAndIsShort) {
  http::RequestParts parts = Get();
  parts.query = {{"filter", std::string(4000, 'x')}};
  const auto request = http::CanonicalRequest::Make(parts, {});
  const std::string resource = ResourceOf(Acme(), *request);
  EXPECT_TRUE(Key(parts).starts_with(resource + '\0'));
  EXPECT_EQ(Key(parts).size(), resource.size() + 33);
}

}  // namespace
}  // namespace lmbroker::core
