#pragma once

// What every Store promises, run against each: the one on disk and the fake that other tests rely on. The tests are in
// store_*_contract_test.cc, by what is stored.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/store/store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_records.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::store {

struct StoreCase {
  std::string name;
  std::function<std::unique_ptr<Store>(const TempDir&)> make;
};

class StoreContract : public testing::TestWithParam<StoreCase> {
 protected:
  // The names of all credentials, and of acme's tokens with their credential, as one look at the store.
  std::vector<std::string> Everything() {
    std::vector<std::string> lines;
    const std::vector<CredentialRecord> credentials = *store_->ListCredentials(std::nullopt);
    for (const CredentialRecord& record : credentials) {
      lines.push_back(record.name.ToString());
    }
    const std::vector<TokenRecord> tokens = *store_->ListTokens(Portal("acme"));
    for (const TokenRecord& record : tokens) {
      lines.push_back(fmt::format("{} -> {}", record.name.ToString(),
                                  record.credential.has_value() ? record.credential->id() : "none"));
    }
    const std::vector<CreateIntent> creates = *store_->OpenCreates();
    for (const CreateIntent& create : creates) {
      lines.push_back(
          fmt::format("{} {}", create.marker, create.phase == CreatePhase::kIntended ? "intended" : "done"));
    }
    return lines;
  }

  // A create that went through step 3.
  void Create(const std::string& marker, const TokenName& token, const CredentialName& credential) {
    ASSERT_THAT(store_->BeginCreate(MakeIntent(marker, token.admin(), credential), std::nullopt), IsOk());
    ASSERT_THAT(store_->CommitCreate(marker, MakeToken(token, credential), MakeCredential(credential, token)), IsOk());
  }

  TempDir directory_;
  std::unique_ptr<Store> store_ = GetParam().make(directory_);
  const CredentialName reader_ = Credential("acme", "reader");
  const TokenName token_ = Token("acme", 32, 41);
};

inline void ExpectSame(const CredentialRecord& actual, const CredentialRecord& expected) {
  EXPECT_EQ(actual.name, expected.name);
  EXPECT_EQ(actual.type, expected.type);
  EXPECT_EQ(actual.access_id, expected.access_id);
  EXPECT_EQ(actual.master, expected.master);
  EXPECT_EQ(actual.status, expected.status);
  EXPECT_EQ(actual.state, expected.state);
  EXPECT_EQ(actual.token, expected.token);
  EXPECT_EQ(actual.version, expected.version);
  EXPECT_EQ(actual.create_time, expected.create_time);
  EXPECT_EQ(actual.rotate_time, expected.rotate_time);
  EXPECT_EQ(actual.last_use_time, expected.last_use_time);
  EXPECT_EQ(actual.secret, expected.secret);
}

}  // namespace lmbroker::store
