// Backups that are made while the store is used, and put in its place.

#include "service/store/restore.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/store/backup.h"
#include "tests/fakes/faulty_vfs.h"
#include "tests/support/open_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_records.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/raw_database.h"

namespace lmbroker::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RestoreTest : public testing::Test {
 protected:
  absl::Status MakeBackup() const { return BackUp(path_, backup_, absl::ZeroDuration()); }

  absl::StatusOr<Restored> PutBack() { return PutBack(TestEnvelope()); }
  absl::StatusOr<Restored> PutBack(const crypto::Envelope& envelope) {
    return Restore({.backup = backup_, .path = path_, .counter = path_ + ".counter", .now = absl::UnixEpoch()},
                   envelope, random_);
  }

  // Adds a credential whose secret `envelope` seals.
  static void Add(Store& store, const CredentialName& name) {
    const TestEnvelope test;
    const crypto::Envelope& envelope = test;
    CredentialRecord record = MakeCredential(name);
    record.secret = *envelope.Seal(
        Secret("an invented secret"),
        crypto::Binding{.credential = name, .version = record.version, .purpose = crypto::Purpose::kBearerToken});
    EXPECT_THAT(store.InsertCredential(record), IsOk());
  }

  // Expects that the backup is refused with `problem`, and that nothing in the folder has changed.
  void ExpectRefused(const std::string& problem) {
    const std::string database = ReadFile(path_);
    const std::string counter = ReadFile(path_ + ".counter");
    EXPECT_THAT(PutBack(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(problem)));
    EXPECT_TRUE(ReadFile(path_) == database) << problem;
    EXPECT_TRUE(ReadFile(path_ + ".counter") == counter) << problem;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      EXPECT_THAT(entry.path().string(), testing::Not(HasSubstr("restore-")));
    }
  }

  FakeRandom random_;
  TempDir directory_;
  const std::string path_ = directory_ / "store.db";
  const std::string backup_ = directory_ / "backup.db";
  const CredentialName first_ = Credential("acme", "first");
  const CredentialName second_ = Credential("acme", "second");
};

TEST_F(RestoreTest, BackupIsPrivateAndNeverOverwrites) {
  const auto store = OpenUnlocked(path_);
  Add(**store, first_);
  const mode_t before = umask(0);
  ASSERT_THAT(MakeBackup(), IsOk());
  umask(before);
  struct stat facts{};
  ASSERT_EQ(stat(backup_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  const std::string content = ReadFile(backup_);
  EXPECT_THAT(MakeBackup(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("exists already")));
  EXPECT_TRUE(ReadFile(backup_) == content);
  EXPECT_THAT(BackUp(directory_ / "none.db", directory_ / "b", absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("none.db")));
  EXPECT_THAT(BackUp(path_, directory_ / "none/b", absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("none/b")));
}

TEST_F(RestoreTest, BackupDoesNotDisturbTheStore) {
  const auto store = OpenUnlocked(path_);
  Add(**store, first_);
  ASSERT_THAT(MakeBackup(), IsOk());
  Add(**store, second_);
  EXPECT_THAT((*store)->DeleteCredential(first_), IsOk());
  EXPECT_THAT(OpenLocked(path_), testing::Not(IsOk()));  // still held
}

TEST_F(RestoreTest, RestoredStoreIsTheOneOfTheBackupAndWhatWasThereIsKept) {
  {
    const auto store = OpenUnlocked(path_);
    Add(**store, first_);
    ASSERT_THAT(MakeBackup(), IsOk());
    Add(**store, second_);
  }
  const std::string present = ReadFile(path_);
  const auto restored = PutBack();
  ASSERT_THAT(restored, IsOk());
  EXPECT_EQ(restored->credentials, 1U);
  EXPECT_TRUE(ReadFile(restored->kept) == present);
  {
    const auto store = OpenUnlocked(path_);
    ASSERT_THAT(store, IsOk());
    EXPECT_THAT((*store)->GetCredential(first_), IsOk());
    EXPECT_THAT((*store)->GetCredential(second_), RefusedWith(Reason::kUnknownCredential));
    Add(**store, Credential("acme", "third"));
  }
  EXPECT_THAT(OpenUnlocked(path_), IsOk());

  // The one before is no longer taken for the present one; restored in its turn it is.
  const std::string kept = restored->kept;
  std::filesystem::rename(path_, directory_ / "later.db");
  std::filesystem::copy_file(kept, path_);
  EXPECT_THAT(OpenUnlocked(path_), RefusedWith(Reason::kSealed));
  ASSERT_THAT(Restore({.backup = kept, .path = path_, .counter = path_ + ".counter", .now = absl::UnixEpoch()},
                      TestEnvelope(), random_),
              IsOk());
  EXPECT_THAT((*OpenUnlocked(path_))->GetCredential(second_), IsOk());
}

TEST_F(RestoreTest, FreshFolderNeedsNothingButTheBackup) {
  const std::string elsewhere = directory_ / "elsewhere.db";
  {
    const auto store = OpenUnlocked(path_);
    Add(**store, first_);
    ASSERT_THAT(MakeBackup(), IsOk());
  }
  const auto restored =
      Restore({.backup = backup_, .path = elsewhere, .counter = directory_ / "elsewhere.counter", .now = {}},
              TestEnvelope(), random_);
  ASSERT_THAT(restored, IsOk());
  EXPECT_EQ(restored->kept, "");
  const auto store = SqliteStore::Open({.path = elsewhere, .counter = directory_ / "elsewhere.counter"}, random_);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->Unlock(TestEnvelope()), IsOk());
  EXPECT_THAT((*store)->GetCredential(first_), IsOk());
}

TEST_F(RestoreTest, LostCounterFileIsMadeAnewFromTheDatabaseItself) {
  {
    Add(**OpenUnlocked(path_), first_);
  }
  std::filesystem::remove(path_ + ".counter");
  ASSERT_THAT(OpenUnlocked(path_), RefusedWith(Reason::kSealed));
  ASSERT_THAT(
      Restore({.backup = path_, .path = path_, .counter = path_ + ".counter", .now = {}}, TestEnvelope(), random_),
      IsOk());
  EXPECT_THAT((*OpenUnlocked(path_))->GetCredential(first_), IsOk());
}

TEST_F(RestoreTest, StoreThatABrokerHasOpenIsNotRestored) {
  const auto store = OpenUnlocked(path_);
  Add(**store, first_);
  ASSERT_THAT(MakeBackup(), IsOk());
  EXPECT_THAT(PutBack(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("locked by another lmbrokerd")));
  EXPECT_THAT((*store)->DeleteCredential(first_), IsOk());
}

TEST_F(RestoreTest, BadBackupIsRefusedAndNothingIsTouched) {
  {
    const auto store = OpenUnlocked(path_);
    Add(**store, first_);
    ASSERT_THAT(MakeBackup(), IsOk());
  }
  const std::string good = ReadFile(backup_);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, std::size_t{4096}, good.size() / 2, good.size() - 4096}) {
    WriteFile(backup_, good.substr(0, size));
    ExpectRefused("nothing was changed");
  }
  WriteFile(backup_, good);
  ASSERT_TRUE(RawDatabase(backup_).Run("UPDATE credentials SET master = 0"));
  ExpectRefused("the table `credentials`");
  std::filesystem::remove(backup_);
  ExpectRefused("is no file");
  WriteFile(backup_, good);
  EXPECT_THAT(PutBack(), IsOk());
}

TEST_F(RestoreTest, BackupOfAnotherKeyRingIsRefused) {
  {
    const auto store = OpenUnlocked(path_);
    Add(**store, first_);
    ASSERT_THAT(MakeBackup(), IsOk());
  }
  const std::string before = ReadFile(path_);
  EXPECT_THAT(PutBack(TestEnvelope(/*seed=*/2)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cannot be opened with this key ring")));
  EXPECT_TRUE(ReadFile(path_) == before);
}

TEST_F(RestoreTest, BackupsUnderLoadAreWholeEachOfThem) {
  const FaultyVfs quick_disk;
  const auto store = OpenUnlocked(path_);
  Add(**store, first_);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const CredentialName name = Credential("acme", fmt::format("c{}", i % 50));
      if ((*store)->GetCredential(name).ok()) {
        EXPECT_THAT((*store)->DeleteCredential(name), IsOk());
      } else {
        Add(**store, name);
      }
    }
  });
  for (int i = 0; i < 10; ++i) {
    const std::string backup = directory_ / fmt::format("b{}.db", i);
    const std::string copy = directory_ / fmt::format("r{}.db", i);
    EXPECT_THAT(BackUp(path_, backup, absl::Seconds(5)), IsOk());
    EXPECT_THAT(
        Restore({.backup = backup, .path = copy, .counter = copy + ".counter", .now = {}}, TestEnvelope(), random_),
        IsOk());
    EXPECT_THAT((*OpenUnlocked(copy))->GetCredential(first_), IsOk());
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace lmbroker::store
