// What every Store promises of rotations of credentials.

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/store_contract.h"
#include "tests/fakes/one_key_wrapper.h"

namespace lmbroker::store {
namespace {

using testing::IsEmpty;

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

}  // namespace
}  // namespace lmbroker::store
