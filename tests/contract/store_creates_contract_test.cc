// What every Store promises of creates and their tokens.

#include <atomic>
#include <optional>
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

TEST_P(StoreContract, CreateIsIntendedThenCommittedThenFinished) {
  const CreateIntent intent = MakeIntent("marker", token_.admin(), reader_);
  ASSERT_THAT(store_->BeginCreate(intent, std::nullopt), IsOk());
  EXPECT_THAT(Everything(), ElementsAre("marker intended"));

  const CredentialRecord credential = MakeCredential(reader_, token_);
  ASSERT_THAT(store_->CommitCreate("marker", MakeToken(token_, reader_), credential), IsOk());
  EXPECT_THAT(Everything(), ElementsAre("portals/acme/credentials/reader", "portals/acme/admins/32/tokens/41 -> reader",
                                        "marker done"));
  ExpectSame(*store_->GetCredential(reader_), credential);

  ASSERT_THAT(store_->EndCreate("marker", CreatePhase::kFinished), IsOk());
  EXPECT_THAT(Everything(),
              ElementsAre("portals/acme/credentials/reader", "portals/acme/admins/32/tokens/41 -> reader"));
}

TEST_P(StoreContract, IntentAndTokenComeBackFieldByField) {
  const CreateIntent intent = MakeIntent("marker", token_.admin(), reader_);
  ASSERT_THAT(store_->BeginCreate(intent, std::nullopt), IsOk());
  ASSERT_THAT(store_->BeginCreate(MakeIntent("second", token_.admin(), std::nullopt), std::nullopt), IsOk());
  const TokenRecord token = MakeToken(token_, reader_);
  ASSERT_THAT(store_->CommitCreate("marker", token, MakeCredential(reader_, token_)), IsOk());

  const auto open = store_->OpenCreates();
  ASSERT_THAT(open, IsOk());
  ASSERT_EQ(open->size(), 2U);
  const CreateIntent& stored = open->front();
  EXPECT_EQ(stored.marker, intent.marker);
  EXPECT_EQ(stored.admin, intent.admin);
  EXPECT_EQ(stored.type, intent.type);
  EXPECT_EQ(stored.note, intent.note);
  EXPECT_EQ(stored.status, intent.status);
  EXPECT_FALSE(stored.hand_over);
  EXPECT_EQ(stored.credential, intent.credential);
  EXPECT_EQ(stored.caller, intent.caller);
  EXPECT_EQ(stored.phase, CreatePhase::kCommitted);
  EXPECT_EQ(stored.token, token_);
  EXPECT_EQ(stored.create_time, intent.create_time);
  EXPECT_TRUE(open->back().hand_over);
  EXPECT_EQ(open->back().credential, std::nullopt);
  EXPECT_EQ(open->back().token, std::nullopt);

  const auto stored_token = store_->GetToken(token_);
  ASSERT_THAT(stored_token, IsOk());
  EXPECT_EQ(stored_token->name, token.name);
  EXPECT_EQ(stored_token->type, token.type);
  EXPECT_EQ(stored_token->custody, token.custody);
  EXPECT_EQ(stored_token->credential, token.credential);
  EXPECT_EQ(stored_token->access_id, token.access_id);
  EXPECT_EQ(stored_token->create_time, token.create_time);
}

TEST_P(StoreContract, HandedOverTokenHasNoCredential) {
  ASSERT_THAT(store_->BeginCreate(MakeIntent("marker", token_.admin(), std::nullopt), std::nullopt), IsOk());
  ASSERT_THAT(store_->CommitCreate("marker", MakeToken(token_, std::nullopt), std::nullopt), IsOk());
  EXPECT_EQ(store_->GetToken(token_)->custody, TokenCustody::kHandedOver);
  EXPECT_THAT(Everything(), ElementsAre("portals/acme/admins/32/tokens/41 -> none", "marker done"));
}

TEST_P(StoreContract, AbandonedCreateIsNoLongerOpen) {
  ASSERT_THAT(store_->BeginCreate(MakeIntent("marker", token_.admin(), reader_), std::nullopt), IsOk());
  ASSERT_THAT(store_->EndCreate("marker", CreatePhase::kAbandoned), IsOk());
  EXPECT_THAT(Everything(), IsEmpty());
  EXPECT_THAT(store_->BeginCreate(MakeIntent("marker", token_.admin(), reader_), std::nullopt),
              RefusedWith(Reason::kInternal));
}

TEST_P(StoreContract, OpenCreatesAreOldestFirst) {
  for (const std::string marker : {"z", "a", "m"}) {
    ASSERT_THAT(store_->BeginCreate(MakeIntent(marker, token_.admin(), reader_), std::nullopt), IsOk());
  }
  ASSERT_THAT(store_->CommitCreate("a", MakeToken(token_, reader_), MakeCredential(reader_, token_)), IsOk());
  const auto open = store_->OpenCreates();
  EXPECT_THAT((std::vector{(*open)[0].marker, (*open)[1].marker, (*open)[2].marker}), ElementsAre("z", "a", "m"));
}

TEST_P(StoreContract, CommitIsAllOrNothingWhenTheHandleWasTaken) {
  ASSERT_THAT(store_->BeginCreate(MakeIntent("marker", token_.admin(), reader_), std::nullopt), IsOk());
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_)), IsOk());
  const auto before = Everything();
  EXPECT_THAT(store_->CommitCreate("marker", MakeToken(token_, reader_), MakeCredential(reader_, token_)),
              RefusedWith(Reason::kCredentialExists));
  EXPECT_EQ(Everything(), before);
}

TEST_P(StoreContract, CommitIsAllOrNothingWhenTheTokenIsKnown) {
  Create("first", token_, reader_);
  const CredentialName writer = Credential("acme", "writer");
  ASSERT_THAT(store_->BeginCreate(MakeIntent("second", token_.admin(), writer), std::nullopt), IsOk());
  const auto before = Everything();
  EXPECT_THAT(store_->CommitCreate("second", MakeToken(token_, writer), MakeCredential(writer, token_)),
              RefusedWith(Reason::kInternal));
  EXPECT_EQ(Everything(), before);
}

TEST_P(StoreContract, CommitOfAnotherShapeIsRefusedWithoutEffect) {
  ASSERT_THAT(store_->BeginCreate(MakeIntent("kept", token_.admin(), reader_), std::nullopt), IsOk());
  ASSERT_THAT(store_->BeginCreate(MakeIntent("handed", token_.admin(), std::nullopt), std::nullopt), IsOk());
  const auto before = Everything();
  const TokenRecord token = MakeToken(token_, reader_);
  const CredentialRecord credential = MakeCredential(reader_, token_);
  const TokenName other_token = Token("acme", 33, 41);
  const CredentialName other_name = Credential("acme", "writer");
  const auto commit = [&](std::string_view marker, const TokenRecord& t, const std::optional<CredentialRecord>& c) {
    EXPECT_THAT(store_->CommitCreate(marker, t, c), RefusedWith(Reason::kInternal));
    EXPECT_EQ(Everything(), before);
  };
  commit("unknown", token, credential);
  commit("kept", token, std::nullopt);
  commit("kept", MakeToken(token_, std::nullopt), std::nullopt);
  commit("kept", MakeToken(other_token, reader_), MakeCredential(reader_, other_token));
  commit("kept", token, MakeCredential(other_name, token_));
  commit("kept", token, MakeCredential(reader_, other_token));
  commit("kept", token, MakeCredential(reader_));
  commit("handed", token, credential);
}

TEST_P(StoreContract, CreateIsCommittedOnce) {
  Create("marker", token_, reader_);
  const TokenName next = Token("acme", 32, 42);
  const CredentialName writer = Credential("acme", "writer");
  EXPECT_THAT(store_->CommitCreate("marker", MakeToken(next, writer), MakeCredential(writer, next)),
              RefusedWith(Reason::kInternal));
  EXPECT_THAT(store_->GetToken(next), RefusedWith(Reason::kUnknownToken));
}

TEST_P(StoreContract, RecordsThatContradictThemselvesAreRefused) {
  CredentialRecord credential = MakeCredential(reader_, Token("beta", 1, 1));
  EXPECT_THAT(store_->InsertCredential(credential), RefusedWith(Reason::kInternal));
  credential = MakeCredential(reader_);
  credential.version = 0;
  EXPECT_THAT(store_->InsertCredential(credential), RefusedWith(Reason::kInternal));

  EXPECT_THAT(store_->BeginCreate(MakeIntent("", token_.admin(), reader_), std::nullopt),
              RefusedWith(Reason::kInternal));
  EXPECT_THAT(store_->BeginCreate(MakeIntent("m", token_.admin(), Credential("beta", "reader")), std::nullopt),
              RefusedWith(Reason::kInternal));
  CreateIntent intent = MakeIntent("m", token_.admin(), reader_);
  intent.hand_over = true;
  EXPECT_THAT(store_->BeginCreate(intent, std::nullopt), RefusedWith(Reason::kInternal));
  intent = MakeIntent("m", token_.admin(), reader_);
  intent.phase = CreatePhase::kCommitted;
  EXPECT_THAT(store_->BeginCreate(intent, std::nullopt), RefusedWith(Reason::kInternal));
  EXPECT_THAT(Everything(), IsEmpty());
}

TEST_P(StoreContract, EndOfAnUnknownMarkerOrInAnOpenPhaseIsRefused) {
  EXPECT_THAT(store_->EndCreate("unknown", CreatePhase::kFinished), RefusedWith(Reason::kInternal));
  ASSERT_THAT(store_->BeginCreate(MakeIntent("marker", token_.admin(), reader_), std::nullopt), IsOk());
  EXPECT_THAT(store_->EndCreate("marker", CreatePhase::kCommitted), RefusedWith(Reason::kInternal));
  EXPECT_THAT(Everything(), ElementsAre("marker intended"));
}

TEST_P(StoreContract, CallerHasNoMoreTokensThanItMay) {
  const auto begin = [&](const std::string& marker, const std::string& caller, int most) {
    CreateIntent intent = MakeIntent(marker, token_.admin(), std::nullopt);
    intent.caller = caller;
    return store_->BeginCreate(intent, most);
  };
  // Creates that have not ended count, and those of others do not.
  ASSERT_THAT(begin("1", "inventory", 3), IsOk());
  ASSERT_THAT(begin("2", "inventory", 3), IsOk());
  ASSERT_THAT(begin("other", "reports", 1), IsOk());
  ASSERT_THAT(begin("3", "inventory", 3), IsOk());
  EXPECT_THAT(begin("4", "inventory", 3), RefusedWith(Reason::kTooManyTokens));
  EXPECT_THAT(begin("4", "inventory", 1), RefusedWith(Reason::kTooManyTokens));
  // One that came to nothing gives its place back; one that became a token keeps it until that is deleted.
  ASSERT_THAT(store_->EndCreate("1", CreatePhase::kAbandoned), IsOk());
  ASSERT_THAT(store_->CommitCreate("2", MakeToken(token_, std::nullopt), std::nullopt), IsOk());
  ASSERT_THAT(store_->EndCreate("2", CreatePhase::kFinished), IsOk());
  ASSERT_THAT(begin("5", "inventory", 3), IsOk());
  EXPECT_THAT(begin("6", "inventory", 3), RefusedWith(Reason::kTooManyTokens));
  ASSERT_THAT(store_->DeleteToken(token_), IsOk());
  EXPECT_THAT(begin("6", "inventory", 3), IsOk());
  EXPECT_THAT(begin("7", "inventory", 3), RefusedWith(Reason::kTooManyTokens));
}

TEST_P(StoreContract, OfConcurrentCreatesOneTakesTheLastPlace) {
  std::atomic<int> begun = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, &begun] {
      for (int i = 0; i < 5; ++i) {
        const CreateIntent intent = MakeIntent(fmt::format("{}-{}", t, i), token_.admin(), std::nullopt);
        if (store_->BeginCreate(intent, 7).ok()) ++begun;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(begun, 7);
  EXPECT_EQ(store_->OpenCreates()->size(), 7U);
}

}  // namespace
}  // namespace lmbroker::store
