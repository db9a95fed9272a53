// What a start finds of earlier runs: the head file, open intents, fragments.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/head.h"
#include "service/audit/seed_signer.h"
#include "tests/unit/audit/audit_file.h"
#include "tests/unit/audit/audit_runs.h"

namespace lmbroker::audit {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class RestartTest : public testing::Test {
 protected:
  // "outcome of open-3: UNKNOWN OUTCOME_UNKNOWN", or the kind of records that are not of calls.
  static std::vector<std::string> Told(const std::vector<nlohmann::json>& records) {
    std::vector<std::string> told;
    for (const auto& record : records) {
      std::string text = record["kind"];
      if (record.contains("id")) text += " of " + record["id"].get<std::string>();
      if (record.contains("code")) text += ": " + record["code"].get<std::string>();
      if (record.contains("closed")) text += " closes " + std::to_string(record["closed"].get<int>());
      told.push_back(text);
    }
    return told;
  }
  // What the last run wrote, from its start on.
  std::vector<std::string> LastRun() const {
    std::vector<nlohmann::json> records;
    for (const std::string& line : LinesOf(runs_.path())) {
      auto record = nlohmann::json::parse(line, nullptr, false);
      if (!record.is_object()) continue;
      if (record["kind"] == "start") records.clear();
      records.push_back(std::move(record));
    }
    return Told(records);
  }

  AuditRuns runs_;
};

TEST_F(RestartTest, OpenIntentsOfAKilledRunGetAnOutcome) {
  runs_.RunAndKill(2, "");
  runs_.Run(1);
  EXPECT_THAT(LastRun(), ElementsAre("start closes 1", "outcome of open-3: UNKNOWN", "checkpoint", "intent of call-4",
                                     "outcome of call-4", "stop", "checkpoint"));
  runs_.Run(0);
  EXPECT_THAT(LastRun(), ElementsAre("start", "checkpoint", "stop", "checkpoint"));
}

TEST_F(RestartTest, IntentsThatAKilledStartDidNotCloseAreClosedByTheNext) {
  {
    auto log = runs_.Open();
    for (const std::string id : {"a", "b", "c"}) {
      ASSERT_THAT(WriteAndWait(*log, {.time = runs_.clock().Now(), .id = id}, Durability::kOnDisk), IsOk());
    }
  }
  const auto keep_lines = [&](std::size_t count) {
    const std::string text = ReadFile(runs_.path());
    std::size_t end = 0;
    for (std::size_t i = 0; i < count; ++i) end = text.find('\n', end) + 1;
    WriteFile(runs_.path(), text.substr(0, end));
    std::filesystem::remove(runs_.head_path());
  };
  keep_lines(5);  // start, checkpoint, a, b, c
  runs_.Run(0);
  keep_lines(7);  // and the next start, with the outcome of a
  runs_.Run(0);
  EXPECT_THAT(LastRun(), ElementsAre("start closes 2", "outcome of b: UNKNOWN", "outcome of c: UNKNOWN", "checkpoint",
                                     "stop", "checkpoint"));
  keep_lines(9);  // and that start, with the outcome of b
  runs_.Run(0);
  EXPECT_THAT(LastRun(), ElementsAre("start closes 1", "outcome of c: UNKNOWN", "checkpoint", "stop", "checkpoint"));
}

TEST_F(RestartTest, OpenIntentsAreFoundOverRotatedFiles) {
  AuditRuns rotating(2000);
  {
    auto log = rotating.Open();
    ASSERT_THAT(WriteAndWait(*log, {.time = rotating.clock().Now(), .id = "long"}, Durability::kOnDisk), IsOk());
    rotating.Call(*log, 30);
  }
  ASSERT_GT(rotating.Files().size(), 3U);
  rotating.Run(0);
  std::string all;
  for (const NamedText& file : rotating.Files()) all += file.text;
  EXPECT_THAT(all, HasSubstr(R"("id":"long","code":"UNKNOWN","reason":"OUTCOME_UNKNOWN")"));
}

TEST_F(RestartTest, HeadIsTheLatestCheckpoint) {
  runs_.Run(3);
  EXPECT_THAT(ReadFile(runs_.path()), testing::EndsWith(ReadFile(runs_.head_path())));
  EXPECT_EQ(std::filesystem::status(runs_.head_path()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(RestartTest, JournalThatEndsBeforeTheHeadIsRefused) {
  runs_.Run(3);
  const std::string text = ReadFile(runs_.path());
  for (const std::size_t kept : {std::size_t{0}, text.size() / 2, text.size() - 10}) {
    WriteFile(runs_.path(), text.substr(0, kept));
    EXPECT_THAT(runs_.TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("head"))) << kept;
  }
  std::filesystem::remove(runs_.path());
  EXPECT_THAT(runs_.TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("knows record")));
  WriteFile(runs_.path(), text);
  EXPECT_THAT(runs_.TryOpen(), IsOk());
}

TEST_F(RestartTest, JournalThatIsAnotherOneIsRefused) {
  runs_.Run(3);
  AuditRuns others(0, 2);
  others.Run(8);
  WriteFile(runs_.path(), ReadFile(others.path()));
  EXPECT_THAT(runs_.TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("does not have record")));
}

TEST_F(RestartTest, HeadThatIsNoneIsRefused) {
  runs_.Run(1);
  for (const std::string_view text : {"", "{}\n", "head"}) {
    WriteFile(runs_.head_path(), text);
    EXPECT_THAT(runs_.TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("head.json is not"))) << text;
  }
}

TEST_F(RestartTest, JournalAheadOfTheHeadGoesOn) {
  runs_.Run(1);
  const std::string head = ReadFile(runs_.head_path());
  runs_.Run(40);
  WriteFile(runs_.head_path(), head);
  EXPECT_THAT(runs_.TryOpen(), IsOk());
}

TEST_F(RestartTest, FileThatWasTakenToAnArchiveRightAfterItsLastCheckpointIsNotMissed) {
  AuditRuns rotating(3000);
  rotating.Run(20);
  auto files = rotating.Files();
  ASSERT_GT(files.size(), 1U);
  // The head is the checkpoint at the end of the file before the last.
  const std::string& before = files[files.size() - 2].text;
  WriteFile(rotating.head_path(), before.substr(before.rfind('\n', before.size() - 2) + 1));
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    std::filesystem::remove(std::filesystem::path(rotating.path()).parent_path() / files[i].name);
  }
  EXPECT_THAT(rotating.TryOpen(), IsOk());
}

TEST_F(RestartTest, SealedBrokerWritesNoCheckpointUntilItIsOpened) {
  runs_.signer().sealed = true;
  runs_.Run(20);
  EXPECT_THAT(ReadFile(runs_.path()), testing::Not(HasSubstr("checkpoint")));
  EXPECT_FALSE(std::filesystem::exists(runs_.head_path()));
  runs_.signer().sealed = false;
  runs_.Run(0);
  EXPECT_THAT(LastRun(), ElementsAre("start", "checkpoint", "stop", "checkpoint"));
}

TEST(SeedSignerTest, SignsWhileItHasASeed) {
  FakeRandom random;
  Secret seed = crypto::NewEd25519Seed(random);
  const auto key = crypto::Ed25519PublicKey::Of(seed);
  SeedSigner signer;
  EXPECT_FALSE(signer.Sign("message").has_value());
  signer.Set(std::move(seed));
  const auto signature = signer.Sign("message");
  ASSERT_TRUE(signature.has_value());
  EXPECT_EQ(signature->key_id, key.fingerprint());
  EXPECT_TRUE(key.Verify("message", signature->bytes));
  signer.Set(std::nullopt);
  EXPECT_FALSE(signer.Sign("message").has_value());
}

}  // namespace
}  // namespace lmbroker::audit
