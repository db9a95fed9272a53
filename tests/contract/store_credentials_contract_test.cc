// What every Store promises of credentials, and tokens that point to them.

#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/store_contract.h"

namespace lmbroker::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(StoreContract, CredentialComesBackFieldByField) {
  const CredentialRecord full = MakeCredential(reader_, token_);
  ASSERT_THAT(store_->InsertCredential(full), IsOk());
  const auto stored = store_->GetCredential(reader_);
  ASSERT_THAT(stored, IsOk());
  ExpectSame(*stored, full);
}

TEST_P(StoreContract, UnsetFieldsStayUnset) {
  const CredentialRecord bare{.name = reader_, .create_time = absl::UnixEpoch()};
  ASSERT_THAT(store_->InsertCredential(bare), IsOk());
  const auto stored = store_->GetCredential(reader_);
  ASSERT_THAT(stored, IsOk());
  ExpectSame(*stored, bare);
}

TEST_P(StoreContract, EveryEnumerationValueComesBack) {
  CredentialRecord record = MakeCredential(reader_);
  ASSERT_THAT(store_->InsertCredential(record), IsOk());
  for (const TokenType type : {TokenType::kLmv1, TokenType::kBearer}) {
    for (const TokenStatus status : {TokenStatus::kDisabled, TokenStatus::kEnabled}) {
      for (const auto state : {CredentialState::kActive, CredentialState::kQuarantined, CredentialState::kRotating}) {
        record.type = type;
        record.status = status;
        record.state = state;
        ASSERT_THAT(store_->UpdateCredential(record), IsOk());
        ExpectSame(*store_->GetCredential(reader_), record);
      }
    }
  }
}

TEST_P(StoreContract, SecondCredentialOfANameIsRefusedAndTheFirstStays) {
  const CredentialRecord first = MakeCredential(reader_);
  ASSERT_THAT(store_->InsertCredential(first), IsOk());
  EXPECT_THAT(store_->InsertCredential({.name = reader_}), RefusedWith(Reason::kCredentialExists));
  ExpectSame(*store_->GetCredential(reader_), first);
}

TEST_P(StoreContract, UnknownCredentialIsRefused) {
  EXPECT_THAT(store_->GetCredential(reader_), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(store_->UpdateCredential(MakeCredential(reader_)), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(store_->DeleteCredential(reader_), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(Everything(), IsEmpty());
}

TEST_P(StoreContract, SameIdInAnotherPortalIsAnotherCredential) {
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_)), IsOk());
  ASSERT_THAT(store_->InsertCredential(MakeCredential(Credential("beta", "reader"))), IsOk());
  ASSERT_THAT(store_->DeleteCredential(reader_), IsOk());
  EXPECT_THAT(Everything(), ElementsAre("portals/beta/credentials/reader"));
}

TEST_P(StoreContract, UpdateReplacesTheRow) {
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_, token_)), IsOk());
  CredentialRecord changed{.name = reader_, .version = 8, .create_time = absl::UnixEpoch()};
  ASSERT_THAT(store_->UpdateCredential(changed), IsOk());
  ExpectSame(*store_->GetCredential(reader_), changed);
}

TEST_P(StoreContract, ListIsByPortalAndId) {
  for (const auto& name : {Credential("beta", "a"), Credential("acme", "b"), Credential("acme", "a-2"),
                           Credential("acme", "a"), Credential("acme-two", "a")}) {
    ASSERT_THAT(store_->InsertCredential(MakeCredential(name)), IsOk());
  }
  EXPECT_THAT(Everything(),
              ElementsAre("portals/acme/credentials/a", "portals/acme/credentials/a-2", "portals/acme/credentials/b",
                          "portals/acme-two/credentials/a", "portals/beta/credentials/a"));
  const auto of_acme = store_->ListCredentials(Portal("acme"));
  ASSERT_THAT(of_acme, IsOk());
  ASSERT_EQ(of_acme->size(), 3U);
  EXPECT_EQ(of_acme->front().name.id(), "a");
  EXPECT_EQ(store_->ListCredentials(Portal("none"))->size(), 0U);
}

TEST_P(StoreContract, HostileTextIsText) {
  for (const std::string& text : {std::string("'; DROP TABLE credentials; --"), std::string("a\0b", 3), std::string(""),
                                  std::string("\xff\xfe not UTF-8"), std::string(1 << 20, 'x')}) {
    CredentialRecord record = MakeCredential(reader_);
    record.access_id = text;
    record.secret.bytes = text;
    ASSERT_THAT(store_->InsertCredential(record), IsOk());
    ExpectSame(*store_->GetCredential(reader_), record);
    ASSERT_THAT(store_->DeleteCredential(reader_), IsOk());
  }
}

TEST_P(StoreContract, DeletedCredentialIsForgottenByItsToken) {
  Create("marker", token_, reader_);
  ASSERT_THAT(store_->DeleteCredential(reader_), IsOk());
  EXPECT_THAT(Everything(), ElementsAre("portals/acme/admins/32/tokens/41 -> none", "marker done"));
  EXPECT_EQ(store_->GetToken(token_)->custody, TokenCustody::kBroker);
}

TEST_P(StoreContract, DeletedTokenTakesItsCredentialAlong) {
  Create("one", token_, reader_);
  Create("two", Token("acme", 32, 42), Credential("acme", "writer"));
  ASSERT_THAT(store_->DeleteToken(token_), IsOk());
  EXPECT_THAT(store_->GetToken(token_), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(store_->GetCredential(reader_), RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(store_->GetCredential(Credential("acme", "writer")), IsOk());
  EXPECT_THAT(store_->DeleteToken(token_), IsOk());
}

TEST_P(StoreContract, DeletedTokenTakesImportedCredentialsAlongButNoOthers) {
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_, token_)), IsOk());
  ASSERT_THAT(store_->InsertCredential(MakeCredential(Credential("acme", "b"), Token("acme", 32, 42))), IsOk());
  ASSERT_THAT(store_->InsertCredential(MakeCredential(Credential("acme", "c"), Token("acme", 33, 41))), IsOk());
  ASSERT_THAT(store_->InsertCredential(MakeCredential(Credential("acme", "d"))), IsOk());
  ASSERT_THAT(store_->InsertCredential(MakeCredential(Credential("beta", "e"), Token("beta", 32, 41))), IsOk());
  ASSERT_THAT(store_->DeleteToken(token_), IsOk());
  EXPECT_THAT(Everything(), ElementsAre("portals/acme/credentials/b", "portals/acme/credentials/c",
                                        "portals/acme/credentials/d", "portals/beta/credentials/e"));
}

TEST_P(StoreContract, TokensAreListedByAdminAndId) {
  Create("1", Token("acme", 9, 100), Credential("acme", "a"));
  Create("2", Token("acme", 32, 9), Credential("acme", "b"));
  Create("3", Token("acme", 32, 41), Credential("acme", "c"));
  Create("4", Token("beta", 1, 1), Credential("beta", "d"));
  const auto tokens = store_->ListTokens(Portal("acme"));
  ASSERT_EQ(tokens->size(), 3U);
  EXPECT_EQ((*tokens)[0].name, Token("acme", 9, 100));
  EXPECT_EQ((*tokens)[1].name, Token("acme", 32, 9));
  EXPECT_EQ((*tokens)[2].name, Token("acme", 32, 41));
}

TEST_P(StoreContract, ThreadsSeeWholeTransactions) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 1; i <= 10; ++i) {
        const int id = t * 10 + i;
        Create(fmt::format("m{}", id), Token("acme", 32, id), Credential("acme", fmt::format("c{}", id)));
      }
    });
  }
  threads.emplace_back([this] {
    for (int i = 0; i < 50; ++i) {
      const std::vector<TokenRecord> tokens = *store_->ListTokens(Portal("acme"));
      for (const TokenRecord& token : tokens) {
        EXPECT_THAT(store_->GetCredential(*token.credential), IsOk());
      }
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->ListTokens(Portal("acme"))->size(), 40U);
}

}  // namespace
}  // namespace lmbroker::store
