// The file of the SQLite store: whose it is, who may have it open, which versions are read. What is stored is the
// contract's (tests/contract/store_contract_test.cc).

#include "service/store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/store/migrations.h"
#include "tests/support/open_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_records.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;

unsigned ModeOf(const std::string& path) {
  struct stat facts{};
  return stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777U : 0;
}

// Runs `sql` on the file with SQLite alone, as a stranger would, and gives the first value of the last row.
std::string Sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  std::string value;
  char* error = nullptr;
  sqlite3_exec(
      database, sql.c_str(),
      [](void* out, int, char** values, char**) {
        *static_cast<std::string*>(out) = values[0] == nullptr ? "" : values[0];
        return 0;
      },
      &value, &error);
  EXPECT_EQ(error, nullptr) << error;
  sqlite3_free(error);
  sqlite3_close(database);
  return value;
}

class SqliteStoreTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<SqliteStore>> Open() const { return OpenUnlocked(path_); }

  // Expects that opening fails with `problem` and changes no byte of the file.
  void ExpectRefusedUntouched(const std::string& problem) const {
    const std::string before = ReadFile(path_);
    EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr(path_), HasSubstr(problem))));
    EXPECT_TRUE(ReadFile(path_) == before);
  }

  TempDir directory_;
  const std::string path_ = directory_ / "store.db";
  const CredentialName reader_ = Credential("acme", "reader");
};

TEST_F(SqliteStoreTest, NewFilesAreForTheirOwnerOnly) {
  const mode_t before = umask(0);
  const auto store = Open();
  ASSERT_THAT(store, IsOk());
  ASSERT_THAT((*store)->InsertCredential(MakeCredential(reader_)), IsOk());
  umask(before);
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    EXPECT_EQ(ModeOf(entry.path().string()), 0600U) << entry.path();
  }
  EXPECT_TRUE(std::filesystem::exists(path_ + "-wal"));
}

TEST_F(SqliteStoreTest, RowsAreThereAfterReopening) {
  {
    const auto store = Open();
    ASSERT_THAT((*store)->InsertCredential(MakeCredential(reader_)), IsOk());
  }
  const auto store = Open();
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->GetCredential(reader_), IsOk());
}

TEST_F(SqliteStoreTest, JournalAndSyncModesAreThePromisedOnes) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(Sql(path_, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(Sql(path_, "PRAGMA application_id"), std::to_string(0x4C4D626B));
  EXPECT_EQ(Sql(path_, "PRAGMA user_version"), std::to_string(kNewestVersion));
  const auto database = Database::Open(path_, absl::ZeroDuration());
  ASSERT_THAT(database, IsOk());
  for (const auto& [pragma, expected] :
       {std::pair("PRAGMA synchronous", 2), {"PRAGMA foreign_keys", 1}, {"PRAGMA secure_delete", 1}}) {
    auto statement = database->Prepare(pragma);
    ASSERT_THAT(statement->Step(), IsOkAndHolds(true));
    EXPECT_EQ(statement->TakeInteger(), expected) << pragma;
  }
}

TEST_F(SqliteStoreTest, SecondOpenerIsRefusedInTheSameProcess) {
  const auto first = Open();
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr(path_), HasSubstr("locked"))));
  // The attempt has not loosened the first one's hold.
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("locked")));
  EXPECT_THAT((*first)->InsertCredential(MakeCredential(reader_)), IsOk());
}

TEST_F(SqliteStoreTest, SecondOpenerIsRefusedInAnotherProcess) {
  {
    const auto first = Open();
    ASSERT_THAT(first, IsOk());
    EXPECT_THAT(Open(), testing::Not(IsOk()));  // closes a descriptor of the file
    const pid_t child = fork();
    if (child == 0) _exit(Open().ok() ? 1 : 0);
    int result = -1;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_EQ(result, 0);
  }
  EXPECT_THAT(Open(), IsOk());
}

TEST_F(SqliteStoreTest, FileThatOthersCanReadIsRefused) {
  {
    ASSERT_THAT(Open(), IsOk());
  }
  for (const mode_t mode : {0640U, 0604U, 0660U, 0666U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    ExpectRefusedUntouched("chmod it to 0600");
  }
}

TEST_F(SqliteStoreTest, EmptyFileBecomesAStore) {
  WriteFile(path_, "");
  const auto store = Open();
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->InsertCredential(MakeCredential(reader_)), IsOk());
}

TEST_F(SqliteStoreTest, SomebodyElsesFileIsRefusedUntouched) {
  WriteFile(path_,
            "not a database at all, but long enough to be taken for the header of one if nobody looks closely...");
  ExpectRefusedUntouched("not a database");
}

TEST_F(SqliteStoreTest, SomebodyElsesDatabaseIsRefusedUntouched) {
  WriteFile(path_, "");
  Sql(path_, "CREATE TABLE theirs (x)");
  ExpectRefusedUntouched("not a database of lmbroker");
  Sql(path_, "DROP TABLE theirs; PRAGMA application_id = 12345");
  ExpectRefusedUntouched("not a database of lmbroker");
  Sql(path_, "PRAGMA application_id = 0; PRAGMA user_version = 1");
  ExpectRefusedUntouched("not a database of lmbroker");
}

TEST_F(SqliteStoreTest, LaterSchemaIsRefusedUntouched) {
  {
    ASSERT_THAT((*Open())->InsertCredential(MakeCredential(reader_)), IsOk());
  }
  const std::string counter = ReadFile(path_ + ".counter");
  Sql(path_, fmt::format("PRAGMA user_version = {}", kNewestVersion + 1));
  ExpectRefusedUntouched(fmt::format("schema version {}, this program knows {}", kNewestVersion + 1, kNewestVersion));
  EXPECT_TRUE(ReadFile(path_ + ".counter") == counter);
  Sql(path_, fmt::format("PRAGMA user_version = {}", kNewestVersion));
  EXPECT_THAT((*Open())->GetCredential(reader_), IsOk());
}

// A later broker may have been killed: its log must stay beside the file for it.
TEST_F(SqliteStoreTest, LaterSchemaInTheLogIsRefusedAndTheLogStays) {
  const pid_t child = fork();
  if (child == 0) {
    const auto store = Open();
    _exit(store.ok() && (*store)->InsertCredential(MakeCredential(reader_)).ok() ? 0 : 1);  // without closing
  }
  int result = -1;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  ASSERT_EQ(result, 0);
  {
    // Raises the version in the log alone.
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    const std::string later = fmt::format("PRAGMA user_version = {}", kNewestVersion + 1);
    ASSERT_EQ(sqlite3_exec(database, later.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }
  const std::string log = ReadFile(path_ + "-wal");
  ASSERT_FALSE(log.empty());
  ExpectRefusedUntouched(fmt::format("schema version {}", kNewestVersion + 1));
  EXPECT_TRUE(ReadFile(path_ + "-wal") == log);
}

TEST_F(SqliteStoreTest, MissingFolderIsNamed) {
  EXPECT_THAT(OpenLocked(directory_ / "none/store.db"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("none/store.db")));
}

TEST_F(SqliteStoreTest, RowThatTheBrokerDidNotWriteIsAnErrorNotACrash) {
  {
    ASSERT_THAT((*Open())->InsertCredential(MakeCredential(reader_)), IsOk());
  }
  const auto broken = [this](const std::string& sql) {
    Sql(path_, "PRAGMA ignore_check_constraints = 1; " + sql);
    const auto store = OpenLocked(path_);
    ASSERT_THAT(store, IsOk());
    EXPECT_THAT((*store)->ListCredentials(std::nullopt), RefusedWith(Reason::kStoreUnavailable)) << sql;
  };
  broken("UPDATE credentials SET token_admin = 1, token_id = -1");
  broken("UPDATE credentials SET token_admin = 4294967296, token_id = 1");
  broken("UPDATE credentials SET token_admin = NULL, token_id = NULL, key_version = 4294967296");
  broken("UPDATE credentials SET key_version = 1, portal = 'Not a name'");
}

}  // namespace
}  // namespace lmbroker::store
