// Databases as every released version left them open in this one, with all that they hold (golden/make.py made them).

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/digest.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_ring.h"
#include "service/store/columns.h"
#include "service/store/sqlite_store.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/one_key_wrapper.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::store {
namespace {

const std::string kGolden = LMBROKER_GOLDEN;

std::string Line(const std::vector<std::string>& values) { return fmt::format("{}\n", fmt::join(values, " | ")); }

std::string Number(std::int64_t value) { return std::to_string(value); }
std::string Time(absl::Time time) { return Number(absl::ToUnixMicros(time)); }
std::string Time(const std::optional<absl::Time>& time) { return time.has_value() ? Time(*time) : "-"; }
std::string Text(std::string_view text) { return std::string(text); }
std::string Id(const std::optional<CredentialName>& name) { return name.has_value() ? name->id() : "-"; }

std::string OpenedDigest(const CredentialRecord& record, const crypto::Envelope& envelope) {
  const auto secret = envelope.Open(
      record.secret, crypto::Binding{.credential = record.name,
                                     .version = record.version,
                                     .purpose = record.type == TokenType::kLmv1 ? crypto::Purpose::kAccessKey
                                                                                : crypto::Purpose::kBearerToken});
  return secret.ok() ? crypto::Sha256Hex(secret->Reveal()) : secret.status().ToString();
}

// All that the store gives, in the form of the golden texts.
std::string Contents(Store& store, const crypto::Envelope& envelope) {
  std::string text;
  const std::vector<CredentialRecord> credentials = *store.ListCredentials(std::nullopt);
  for (const CredentialRecord& each : credentials) {
    text += Line({"credential", each.name.ToString(), Text(ToColumn(each.type)), each.access_id, Number(each.master),
                  Text(ToColumn(each.status)), Text(ToColumn(each.state)),
                  each.token.has_value() ? each.token->ToString() : "-", Number(each.version), Time(each.create_time),
                  Time(each.rotate_time), Time(each.last_use_time), Number(each.secret.key_version),
                  OpenedDigest(each, envelope)});
  }
  const std::vector<TokenRecord> tokens = *store.ListTokens(*PortalName::FromId("acme", "portal"));
  for (const TokenRecord& each : tokens) {
    text += Line({"token", each.name.ToString(), Text(ToColumn(each.type)), Text(ToColumn(each.custody)),
                  Id(each.credential), each.access_id, Time(each.create_time)});
  }
  const std::vector<CreateIntent> creates = *store.OpenCreates();
  for (const CreateIntent& each : creates) {
    text += Line({"create", each.marker, each.admin.ToString(), Text(ToColumn(each.type)), each.note,
                  Text(ToColumn(each.status)), Number(each.hand_over), Id(each.credential), each.caller,
                  Text(ToColumn(each.phase)), each.token.has_value() ? Number(each.token->id()) : "-",
                  Time(each.create_time)});
  }
  return text;
}

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  GoldenTest() {
    WriteFile(ring_, ReadFile(kGolden + "/keyring.json"));
    WriteFile(path_, ReadFile(kGolden + "/" + GetParam() + ".db"));
    const std::string counter = kGolden + "/" + GetParam() + ".counter";
    if (std::filesystem::exists(counter)) WriteFile(path_ + ".counter", ReadFile(counter));
  }

  absl::StatusOr<std::unique_ptr<SqliteStore>> Open() {
    return SqliteStore::Open({.path = path_, .counter = path_ + ".counter", .wait = absl::ZeroDuration()}, random_);
  }

  TempDir directory_;
  FakeRandom random_;
  const std::string ring_ = directory_ / "keyring.json";
  const std::string path_ = directory_ / "store.db";
};

TEST_P(GoldenTest, OpensWithAllThatItHolds) {
  const auto ring = crypto::KeyRing::Load(ring_, random_);
  ASSERT_THAT(ring, IsOk());
  const crypto::Envelope envelope(*ring, random_);
  const std::string expected = ReadFile(kGolden + "/" + GetParam() + ".txt");
  for (int start = 0; start < 3; ++start) {
    const auto store = Open();
    ASSERT_THAT(store, IsOk());
    EXPECT_EQ(Contents(**store, envelope), expected) << "locked, start " << start;
    ASSERT_THAT((*store)->Unlock(envelope), IsOk());
    EXPECT_EQ(Contents(**store, envelope), expected) << "unlocked, start " << start;
    EXPECT_THAT((*store)->PutSetting("start", Number(start)), IsOk());
  }
}

TEST_P(GoldenTest, IsNotTouchedBeforeItIsUnlocked) {
  const std::string before = ReadFile(path_);
  {
    const auto store = Open();
    ASSERT_THAT(store, IsOk());
    EXPECT_THAT((*store)->ListSealedValues(), IsOk());
    EXPECT_THAT((*store)->GetSetting("sealed"), IsOk());
    EXPECT_THAT((*store)->PutSetting("sealed", "yes"), RefusedWith(Reason::kSealed));
  }
  EXPECT_TRUE(ReadFile(path_) == before);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest, testing::Values("v1", "v2"), [](const auto& test) { return test.param; });

}  // namespace
}  // namespace lmbroker::store
