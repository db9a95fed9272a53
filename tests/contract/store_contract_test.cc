// What every Store promises, run against each: the one on disk and the fake that other tests rely on.

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/store/sqlite_store.h"
#include "service/store/store.h"
#include "service/store/store_key.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/memory_store.h"
#include "tests/fakes/one_key_wrapper.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_records.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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

void ExpectSame(const CredentialRecord& actual, const CredentialRecord& expected) {
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

// The new token of a rotation, and its secret.
TokenRecord NewToken(const TokenName& name) {
  TokenRecord token = MakeToken(name, std::nullopt);
  token.custody = TokenCustody::kBroker;
  return token;
}

SealedValue NewSecret(const std::string& marker) {
  return {.name = RotationSecretName(marker), .secret = {.bytes = std::string("\0sealed", 7), .key_version = 3}};
}

// What the credential becomes.
CredentialRecord Promoted(const CredentialName& name, const TokenName& token, std::int64_t version = 8) {
  CredentialRecord record = MakeCredential(name, token);
  record.version = version;
  record.state = CredentialState::kActive;
  record.access_id = "another";
  return record;
}

TEST_P(StoreContract, RotationGoesThroughItsPhases) {
  Create("create", token_, reader_);
  const TokenName next = Token("acme", 32, 42);
  const Rotation begun = MakeRotation("m", reader_, token_);
  ASSERT_THAT(store_->BeginRotation(begun), IsOk());
  EXPECT_EQ(store_->GetCredential(reader_)->state, CredentialState::kRotating);
  Rotation rotation = store_->ListRotations()->at(0);
  EXPECT_EQ(rotation.marker, begun.marker);
  EXPECT_EQ(rotation.credential, begun.credential);
  EXPECT_EQ(rotation.retiring, begun.retiring);
  EXPECT_EQ(rotation.type, begun.type);
  EXPECT_EQ(rotation.note, begun.note);
  EXPECT_EQ(rotation.version, begun.version);
  EXPECT_EQ(rotation.caller, begun.caller);
  EXPECT_EQ(rotation.rule, begun.rule);
  EXPECT_EQ(rotation.request_id, begun.request_id);
  EXPECT_EQ(rotation.create_time, begun.create_time);
  EXPECT_EQ(rotation.phase, RotationPhase::kIntended);
  EXPECT_FALSE(rotation.token.has_value());

  ASSERT_THAT(store_->StoreRotation("m", NewToken(next), NewSecret("m")), IsOk());
  rotation = store_->ListRotations()->at(0);
  EXPECT_EQ(rotation.phase, RotationPhase::kStored);
  EXPECT_EQ(rotation.token, next);
  EXPECT_FALSE(store_->GetToken(next)->credential.has_value());
  EXPECT_EQ(store_->GetToken(token_)->credential, reader_);
  const auto values = store_->ListSealedValues();
  EXPECT_TRUE(std::find(values->begin(), values->end(), NewSecret("m")) != values->end());

  ASSERT_THAT(store_->PromoteRotation("m", Promoted(reader_, next)), IsOk());
  EXPECT_EQ(store_->ListRotations()->at(0).phase, RotationPhase::kPromoted);
  ExpectSame(*store_->GetCredential(reader_), Promoted(reader_, next));
  EXPECT_EQ(store_->GetToken(next)->credential, reader_);
  EXPECT_FALSE(store_->GetToken(token_)->credential.has_value());
  EXPECT_EQ(store_->OpenCreates()->at(0).token, next);  // whoever created the old one has the new one
  const auto after = store_->ListSealedValues();
  EXPECT_TRUE(std::find(after->begin(), after->end(), NewSecret("m")) == after->end());

  const absl::Time then = absl::FromUnixMicros(7);
  ASSERT_THAT(store_->NoteRetiring("m", std::nullopt, then), IsOk());
  ASSERT_THAT(store_->NoteRetiring("m", then, then + absl::Seconds(1)), IsOk());
  rotation = store_->ListRotations()->at(0);
  EXPECT_EQ(rotation.phase, RotationPhase::kRetiring);
  EXPECT_EQ(rotation.last_used_on, then);
  EXPECT_EQ(rotation.still_since, then + absl::Seconds(1));

  ASSERT_THAT(store_->EndRotation("m"), IsOk());
  EXPECT_THAT(*store_->ListRotations(), IsEmpty());
  EXPECT_THAT(store_->GetToken(token_), RefusedWith(Reason::kUnknownToken));
  EXPECT_EQ(store_->GetToken(next)->credential, reader_);
  EXPECT_THAT(store_->EndRotation("m"), IsOk());
}

TEST_P(StoreContract, RotationThatIsGivenUpLeavesTheCredentialAsItWas) {
  Create("create", token_, reader_);
  CredentialRecord before = *store_->GetCredential(reader_);
  for (const bool stored : {false, true}) {
    ASSERT_THAT(store_->BeginRotation(MakeRotation("m", reader_, token_)), IsOk());
    const TokenName next = Token("acme", 32, 42);
    if (stored) {
      ASSERT_THAT(store_->StoreRotation("m", NewToken(next), NewSecret("m")), IsOk());
    }
    ASSERT_THAT(store_->EndRotation("m"), IsOk());
    before.state = CredentialState::kActive;
    ExpectSame(*store_->GetCredential(reader_), before);
    EXPECT_THAT(store_->GetToken(next), RefusedWith(Reason::kUnknownToken));
    EXPECT_EQ(store_->GetToken(token_)->credential, reader_);
    EXPECT_THAT(*store_->ListRotations(), IsEmpty());
    const auto values = store_->ListSealedValues();
    EXPECT_TRUE(std::find(values->begin(), values->end(), NewSecret("m")) == values->end());
  }
}

TEST_P(StoreContract, ImportedTokenThatRetiresIsKnownFromThenOn) {
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_, token_)), IsOk());
  const TokenName next = Token("acme", 32, 42);
  ASSERT_THAT(store_->BeginRotation(MakeRotation("m", reader_, token_)), IsOk());
  ASSERT_THAT(store_->StoreRotation("m", NewToken(next), NewSecret("m")), IsOk());
  EXPECT_THAT(store_->GetToken(token_), RefusedWith(Reason::kUnknownToken));
  ASSERT_THAT(store_->PromoteRotation("m", Promoted(reader_, next)), IsOk());
  const auto retiring = store_->GetToken(token_);
  ASSERT_THAT(retiring, IsOk());
  EXPECT_EQ(retiring->custody, TokenCustody::kBroker);
  EXPECT_FALSE(retiring->credential.has_value());
  EXPECT_EQ(retiring->access_id, MakeCredential(reader_).access_id);
}

TEST_P(StoreContract, RotationWhoseCredentialIsDeletedCanBeEnded) {
  Create("create", token_, reader_);
  ASSERT_THAT(store_->BeginRotation(MakeRotation("m", reader_, token_)), IsOk());
  ASSERT_THAT(store_->StoreRotation("m", NewToken(Token("acme", 32, 42)), NewSecret("m")), IsOk());
  ASSERT_THAT(store_->DeleteCredential(reader_), IsOk());
  EXPECT_THAT(store_->PromoteRotation("m", Promoted(reader_, Token("acme", 32, 42))),
              RefusedWith(Reason::kUnknownCredential));
  EXPECT_THAT(store_->EndRotation("m"), IsOk());
  EXPECT_THAT(*store_->ListRotations(), IsEmpty());
}

TEST_P(StoreContract, RotationsAreOldestFirstAndOneOfACredentialIsLive) {
  Create("create", token_, reader_);
  const CredentialName other = Credential("acme", "a");
  ASSERT_THAT(store_->InsertCredential(MakeCredential(other, Token("acme", 33, 50))), IsOk());
  ASSERT_THAT(store_->BeginRotation(MakeRotation("z", reader_, token_)), IsOk());
  ASSERT_THAT(store_->BeginRotation(MakeRotation("a", other, Token("acme", 33, 50))), IsOk());
  EXPECT_EQ(store_->ListRotations()->at(0).marker, "z");
  EXPECT_THAT(store_->BeginRotation(MakeRotation("y", reader_, token_)), RefusedWith(Reason::kInternal));
  const TokenName next = Token("acme", 32, 42);
  ASSERT_THAT(store_->StoreRotation("z", NewToken(next), NewSecret("z")), IsOk());
  ASSERT_THAT(store_->PromoteRotation("z", Promoted(reader_, next)), IsOk());
  EXPECT_THAT(store_->BeginRotation(MakeRotation("y", reader_, next, 9)), RefusedWith(Reason::kInternal));
  ASSERT_THAT(store_->NoteRetiring("z", std::nullopt, absl::UnixEpoch()), IsOk());
  EXPECT_THAT(store_->BeginRotation(MakeRotation("z", reader_, next, 9)), RefusedWith(Reason::kInternal));
  EXPECT_THAT(store_->BeginRotation(MakeRotation("y", reader_, next, 9)), IsOk());
}

TEST_P(StoreContract, RotationThatContradictsTheStoreIsADefectAndWithoutEffect) {
  Create("create", token_, reader_);
  const TokenName next = Token("acme", 32, 42);
  const auto refused = [&](const absl::Status& status) { EXPECT_THAT(status, RefusedWith(Reason::kInternal)); };
  refused(store_->BeginRotation(MakeRotation("", reader_, token_)));
  refused(store_->BeginRotation(MakeRotation("m", reader_, token_, 9)));
  refused(store_->BeginRotation(MakeRotation("m", reader_, next)));
  refused(store_->BeginRotation(MakeRotation("m", reader_, Token("other", 32, 41))));
  EXPECT_THAT(store_->BeginRotation(MakeRotation("m", Credential("acme", "none"), token_)),
              RefusedWith(Reason::kUnknownCredential));
  refused(store_->StoreRotation("m", NewToken(next), NewSecret("m")));
  EXPECT_THAT(*store_->ListRotations(), IsEmpty());
  EXPECT_EQ(store_->GetCredential(reader_)->state, MakeCredential(reader_).state);

  ASSERT_THAT(store_->BeginRotation(MakeRotation("m", reader_, token_)), IsOk());
  refused(store_->PromoteRotation("m", Promoted(reader_, next)));
  refused(store_->NoteRetiring("m", std::nullopt, absl::UnixEpoch()));
  refused(store_->StoreRotation("m", NewToken(Token("acme", 33, 42)), NewSecret("m")));
  refused(store_->StoreRotation("m", NewToken(next), NewSecret("n")));
  refused(store_->StoreRotation("m", MakeToken(next, std::nullopt), NewSecret("m")));
  refused(store_->StoreRotation("m", NewToken(token_), NewSecret("m")));
  ASSERT_THAT(store_->StoreRotation("m", NewToken(next), NewSecret("m")), IsOk());
  refused(store_->StoreRotation("m", NewToken(next), NewSecret("m")));
  refused(store_->PromoteRotation("m", Promoted(reader_, token_)));
  refused(store_->PromoteRotation("m", Promoted(reader_, next, 9)));
  refused(store_->PromoteRotation("n", Promoted(reader_, next)));
  EXPECT_EQ(store_->ListRotations()->at(0).phase, RotationPhase::kStored);
}

TEST_P(StoreContract, SealedValueThatIsGoneIsNotReplaced) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  ASSERT_THAT(store_->ReplaceSealedValue(NewSecret("m")), IsOk());
  EXPECT_EQ(store_->ListSealedValues()->size(), 1U);
  ASSERT_THAT(store_->PutSealedValue(NewSecret("m")), IsOk());
  SealedValue wrapped = NewSecret("m");
  wrapped.secret.key_version = 4;
  ASSERT_THAT(store_->ReplaceSealedValue(wrapped), IsOk());
  EXPECT_EQ(store_->ListSealedValues()->front(), wrapped);
}

TEST_P(StoreContract, LockedStoreIsReadAndNotChanged) {
  Create("marker", token_, reader_);
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  ASSERT_THAT(store_->PutSetting("a", "1"), IsOk());
  const auto before = Everything();
  store_->Lock();
  EXPECT_THAT(store_->InsertCredential(MakeCredential(Credential("acme", "new"))), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->UpdateCredential(MakeCredential(reader_)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->DeleteCredential(reader_), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->DeleteToken(token_), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->BeginCreate(MakeIntent("next", token_.admin(), reader_), std::nullopt),
              RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->EndCreate("marker", CreatePhase::kFinished), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->BeginRotation(MakeRotation("m", reader_, token_)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->EndRotation("m"), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->ReplaceSealedValue({.name = "b", .secret = {}}), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->PutSealedValue({.name = "b", .secret = {}}), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->PutSetting("a", "2"), RefusedWith(Reason::kSealed));
  EXPECT_EQ(Everything(), before);
  EXPECT_THAT(store_->GetSetting("a"), IsOkAndHolds(std::optional<std::string>("1")));

  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  EXPECT_EQ(Everything(), before);
  EXPECT_THAT(store_->DeleteToken(token_), IsOk());
}

TEST_P(StoreContract, StoreOfAnotherKeyRingStaysLocked) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  EXPECT_THAT(store_->Unlock(TestEnvelope(/*seed=*/2)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(store_->InsertCredential(MakeCredential(reader_)), RefusedWith(Reason::kSealed));
}

TEST_P(StoreContract, StoreKeyIsAmongTheSealedValues) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  const SealedValue value{.name = "audit key", .secret = {.bytes = std::string("\0\xff", 2), .key_version = 7}};
  ASSERT_THAT(store_->PutSealedValue(value), IsOk());
  const auto values = store_->ListSealedValues();
  ASSERT_THAT(values, IsOk());
  ASSERT_EQ(values->size(), 2U);
  EXPECT_EQ(values->front(), value);
  EXPECT_EQ(values->back().name, StoreKey::kName);
  EXPECT_THAT(static_cast<const crypto::Envelope&>(TestEnvelope())
                  .Open(values->back().secret, crypto::ValueBinding{StoreKey::kName}),
              IsOk());
}

TEST_P(StoreContract, StoreKeyThatIsWrappedAgainStillOpens) {
  ASSERT_THAT(store_->Unlock(TestEnvelope()), IsOk());
  const TestEnvelope next(/*seed=*/2);
  constexpr crypto::ValueBinding kBinding{StoreKey::kName};
  const TestEnvelope old;
  const crypto::Envelope& old_ring = old;
  const crypto::Envelope& new_ring = next;
  const auto key = old_ring.Open(store_->ListSealedValues()->front().secret, kBinding);
  ASSERT_THAT(key, IsOk());
  ASSERT_THAT(store_->PutSealedValue({.name = std::string(StoreKey::kName), .secret = *new_ring.Seal(*key, kBinding)}),
              IsOk());
  EXPECT_THAT(store_->Unlock(next), IsOk());
  EXPECT_THAT(store_->Unlock(TestEnvelope()), RefusedWith(Reason::kSealed));
}

TEST_P(StoreContract, SettingsComeBackUntilTheyAreUnset) {
  EXPECT_THAT(store_->GetSetting("sealed"), IsOkAndHolds(std::optional<std::string>()));
  ASSERT_THAT(store_->PutSetting("sealed", "yes"), IsOk());
  ASSERT_THAT(store_->PutSetting("sealed", std::string("n\0", 2)), IsOk());
  EXPECT_THAT(store_->GetSetting("sealed"), IsOkAndHolds(std::optional(std::string("n\0", 2))));
  ASSERT_THAT(store_->PutSetting("sealed", std::nullopt), IsOk());
  ASSERT_THAT(store_->PutSetting("sealed", std::nullopt), IsOk());
  EXPECT_THAT(store_->GetSetting("sealed"), IsOkAndHolds(std::optional<std::string>()));
}

std::unique_ptr<Store> NewMemory(const TempDir&) { return std::make_unique<MemoryStore>(); }

std::unique_ptr<Store> NewSqlite(const TempDir& directory) {
  static FakeRandom random;
  std::unique_ptr<Store> store = *SqliteStore::Open(
      {.path = directory / "store.db", .counter = directory / "store.counter", .wait = absl::ZeroDuration()}, random);
  EXPECT_THAT(store->Unlock(TestEnvelope()), IsOk());
  return store;
}

// --- Leases ------------------------------------------------------------------------------------------

// Token `id` of acme, handed over, with a lease that ends then.
void Lease(Store& store, const TokenName& token, absl::Time end) {
  const std::string marker = token.ToString();
  TokenRecord record = MakeToken(token, std::nullopt);
  record.expire_time = end;
  ASSERT_THAT(store.BeginCreate(MakeIntent(marker, token.admin(), std::nullopt), std::nullopt), IsOk());
  ASSERT_THAT(store.CommitCreate(marker, record, std::nullopt), IsOk());
}

std::vector<std::int32_t> IdsOf(const absl::StatusOr<std::vector<LeaseRecord>>& leases) {
  std::vector<std::int32_t> ids;
  EXPECT_THAT(leases, IsOk());
  for (const LeaseRecord& lease : leases.value_or(std::vector<LeaseRecord>())) ids.push_back(lease.token.id());
  return ids;
}

constexpr absl::Time kEnd = absl::FromUnixMicros(1'700'000'000'000'009);

TEST_P(StoreContract, LeaseAppearsWithItsTokenAndOnlyThen) {
  ASSERT_THAT(store_->BeginCreate(MakeIntent("m", token_.admin(), reader_), std::nullopt), IsOk());
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  TokenRecord record = MakeToken(token_, reader_);
  record.expire_time = kEnd;
  ASSERT_THAT(store_->InsertCredential(MakeCredential(reader_)), IsOk());
  EXPECT_THAT(store_->CommitCreate("m", record, MakeCredential(reader_, token_)),
              RefusedWith(Reason::kCredentialExists));
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  ASSERT_THAT(store_->DeleteCredential(reader_), IsOk());
  ASSERT_THAT(store_->CommitCreate("m", record, MakeCredential(reader_, token_)), IsOk());
  const LeaseRecord expected{.token = token_, .expire_time = kEnd, .next_time = kEnd};
  EXPECT_EQ(*store_->GetLease(token_), expected);
  EXPECT_EQ(store_->GetToken(token_)->expire_time, kEnd);
  EXPECT_EQ(store_->ListTokens(Portal("acme"))->at(0).expire_time, kEnd);
}

TEST_P(StoreContract, LeaseComesBackFieldByFieldInEveryState) {
  Lease(*store_, token_, kEnd);
  for (const LeaseState state : {LeaseState::kActive, LeaseState::kDisabled, LeaseState::kStuck}) {
    for (const std::optional<absl::Time> disabled : {std::optional<absl::Time>(), std::optional(kEnd)}) {
      const LeaseRecord changed{.token = token_,
                                .expire_time = kEnd - absl::Seconds(1),
                                .state = state,
                                .disable_time = disabled,
                                .next_time = kEnd + absl::Seconds(2),
                                .attempts = 3,
                                .last_error = "PORTAL_DENIED: für Zoë"};
      ASSERT_THAT(store_->UpdateLease(changed), IsOk());
      EXPECT_EQ(*store_->GetLease(token_), changed);
      EXPECT_EQ(store_->GetToken(token_)->expire_time, changed.expire_time);
    }
  }
}

TEST_P(StoreContract, LeaseGoesWithItsToken) {
  Lease(*store_, token_, kEnd);
  const LeaseRecord lease = *store_->GetLease(token_);
  ASSERT_THAT(store_->DeleteToken(token_), IsOk());
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(store_->UpdateLease(lease), RefusedWith(Reason::kUnknownToken));
  EXPECT_THAT(IdsOf(store_->ListLeases({})), IsEmpty());
}

TEST_P(StoreContract, TokenWithoutALeaseHasNone) {
  Create("m", token_, reader_);
  EXPECT_THAT(store_->GetLease(token_), RefusedWith(Reason::kUnknownToken));
  EXPECT_FALSE(store_->GetToken(token_)->expire_time.has_value());
}

TEST_P(StoreContract, LeasesAreListedByNameInPages) {
  for (const auto& token : {Token("beta", 1, 1), Token("acme", 33, 5), Token("acme", 32, 9), Token("acme", 32, 7)}) {
    Lease(*store_, token, kEnd);
  }
  LeaseRecord stuck = *store_->GetLease(Token("acme", 33, 5));
  stuck.state = LeaseState::kStuck;
  ASSERT_THAT(store_->UpdateLease(stuck), IsOk());
  EXPECT_THAT(IdsOf(store_->ListLeases({})), ElementsAre(7, 9, 5, 1));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme")})), ElementsAre(7, 9, 5));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme"), .most = 2})), ElementsAre(7, 9));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme"), .after = Token("acme", 32, 9), .most = 2})),
              ElementsAre(5));
  EXPECT_THAT(IdsOf(store_->ListLeases({.portal = Portal("acme"), .stuck_only = true})), ElementsAre(5));
  EXPECT_EQ(*store_->CountStuckLeases(Portal("acme")), 1);
  EXPECT_EQ(*store_->CountStuckLeases(Portal("beta")), 0);
}

TEST_P(StoreContract, DueLeasesAreThoseOfTheirStateTheLongestDueFirst) {
  for (std::int32_t id = 1; id <= 5; ++id) Lease(*store_, Token("acme", 32, id), kEnd - absl::Seconds(id));
  Lease(*store_, Token("beta", 32, 6), kEnd - absl::Seconds(9));
  LeaseRecord disabled = *store_->GetLease(Token("acme", 32, 4));
  disabled.state = LeaseState::kDisabled;
  ASSERT_THAT(store_->UpdateLease(disabled), IsOk());
  const auto due = [&](LeaseState state, absl::Time now, int most) {
    return IdsOf(store_->DueLeases(Portal("acme"), state, now, most));
  };
  EXPECT_THAT(due(LeaseState::kActive, kEnd, 9), ElementsAre(5, 3, 2, 1));
  EXPECT_THAT(due(LeaseState::kActive, kEnd, 2), ElementsAre(5, 3));
  EXPECT_THAT(due(LeaseState::kActive, kEnd - absl::Seconds(2), 9), ElementsAre(5, 3, 2));
  EXPECT_THAT(due(LeaseState::kDisabled, kEnd, 9), ElementsAre(4));
  EXPECT_THAT(due(LeaseState::kStuck, kEnd, 9), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, StoreContract,
                         testing::Values(StoreCase{"memory", NewMemory}, StoreCase{"sqlite", NewSqlite}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker::store
