// Whatever somebody else does to the database or to its counter file, it is found when the store is unlocked.

#include "service/store/integrity.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/store/sqlite_store.h"
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

// The files of a store that is closed.
struct Files {
  std::string database;
  std::string counter;
};

// A store with some of everything, changed again and again; its files after each change.
std::vector<Files> MakeHistory(const std::string& path) {
  std::vector<Files> history;
  const auto change = [&](const std::function<absl::Status(Store&)>& run) {
    EXPECT_THAT(run(**OpenUnlocked(path)), IsOk());
    history.push_back({ReadFile(path), ReadFile(path + ".counter")});
  };
  change([](Store& store) { return store.PutSetting("sealed", "no"); });
  change([](Store& store) { return store.PutSealedValue({.name = "audit key", .secret = {.bytes = "sealed bytes"}}); });
  for (int i = 1; i <= 6; ++i) {
    const TokenName token = Token("acme", 32, i);
    const CredentialName name = Credential("acme", fmt::format("c{}", i));
    change([&](Store& store) {
      return store.BeginCreate(MakeIntent(fmt::format("m{}", i), token.admin(), name), std::nullopt);
    });
    change([&](Store& store) {
      return store.CommitCreate(fmt::format("m{}", i), MakeLeasedToken(token, name), MakeCredential(name, token));
    });
    if (i % 2 == 0)
      change([&](Store& store) { return store.EndCreate(fmt::format("m{}", i), CreatePhase::kFinished); });
  }
  for (int i = 1; i <= 6; ++i) {
    CredentialRecord record = MakeCredential(Credential("acme", fmt::format("c{}", i)), Token("acme", 32, i));
    record.access_id = fmt::format("access{}", i);
    record.secret.bytes = fmt::format("sealed anew {}", i);
    record.version = i;
    change([&](Store& store) { return store.UpdateCredential(record); });
  }
  change([](Store& store) { return store.DeleteToken(Token("acme", 32, 3)); });
  change([](Store& store) { return store.InsertCredential(MakeCredential(Credential("beta", "imported"))); });
  return history;
}

class IntegrityTest : public testing::Test {
 protected:
  void Put(const Files& files) const {
    std::filesystem::remove(path_ + "-wal");
    std::filesystem::remove(path_ + "-shm");
    WriteFile(path_, files.database);
    WriteFile(path_ + ".counter", files.counter);
  }
  const Files& newest() const { return history_.back(); }
  const Files& before(std::size_t changes) const { return history_.at(history_.size() - 1 - changes); }

  absl::Status Unlock() const { return OpenUnlocked(path_).status(); }

  // The refusal after a stranger ran `sql` on the newest database.
  absl::Status After(const std::string& sql) const {
    Put(newest());
    EXPECT_TRUE(RawDatabase(path_).Run(sql)) << sql;
    return Unlock();
  }

  const FaultyVfs quick_disk_;
  TempDir directory_;
  const std::string path_ = directory_ / "store.db";
  const std::vector<Files> history_ = MakeHistory(path_);
};

auto IsTampering(const std::string& what) {
  return AllOf(RefusedWith(Reason::kSealed),
               StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr(what), HasSubstr("lmbrokerd restore"))));
}

TEST_F(IntegrityTest, EveryStateOfTheHistoryOpens) {
  for (const Files& files : history_) {
    Put(files);
    EXPECT_THAT(Unlock(), IsOk());
  }
}

TEST_F(IntegrityTest, WhatWasChangedIsSaid) {
  EXPECT_THAT(After("UPDATE credentials SET master = 0 WHERE id = 'c1'"),
              IsTampering("one or more are not as the broker wrote them"));
  EXPECT_THAT(After("UPDATE credentials SET master = 0 WHERE id = 'c1'"), IsTampering("the table `credentials`"));
  EXPECT_THAT(After("DELETE FROM tokens WHERE id = 5"), IsTampering("the table `tokens` has 4 rows, and 5 are"));
  EXPECT_THAT(
      After("INSERT INTO credentials SELECT portal, 'planted', type, access_id, 1, 'ENABLED', state, token_admin, "
            "token_id, version, create_time, rotate_time, last_use_time, sealed, key_version FROM credentials "
            "WHERE id = 'c1'"),
      IsTampering("a row that the broker did not write, \"acme/planted\""));
  EXPECT_THAT(After("UPDATE settings SET value = 'yes'"), IsTampering("the table `settings`"));
  EXPECT_THAT(After("UPDATE integrity SET counter = counter + 1"), IsTampering("its table `integrity`"));
  EXPECT_THAT(After("DELETE FROM integrity"), IsTampering("its table `integrity`"));
  EXPECT_THAT(After("DELETE FROM sealed_values WHERE name = 'store key'"), IsTampering("its key is gone"));
}

TEST_F(IntegrityTest, SchemaThatSomebodyChangedIsRefused) {
  for (const std::string sql :
       {"CREATE TRIGGER planted AFTER INSERT ON tokens BEGIN DELETE FROM credentials; END", "CREATE TABLE planted (x)",
        "CREATE VIEW planted AS SELECT 1", "DROP INDEX creates_open", "ALTER TABLE tokens ADD COLUMN planted TEXT",
        "DROP TABLE tokens", "ANALYZE"}) {
    EXPECT_THAT(After(sql), IsTampering("its schema")) << sql;
  }
}

TEST_F(IntegrityTest, OlderDatabaseIsRefusedHoweverOldItIs) {
  for (std::size_t changes = 1; changes < history_.size(); ++changes) {
    Put({before(changes).database, newest().counter});
    EXPECT_THAT(Unlock(), IsTampering("An older database was put in the place")) << changes;
  }
}

// A kill between commit and counter file.
TEST_F(IntegrityTest, CounterFileMayBeOneChangeBehind) {
  Put({newest().database, before(1).counter});
  EXPECT_THAT(Unlock(), IsOk());
  // It has caught up: the database of before is an older one now.
  const std::string counter = ReadFile(path_ + ".counter");
  Put({before(1).database, counter});
  EXPECT_THAT(Unlock(), IsTampering("An older database"));
}

TEST_F(IntegrityTest, OlderCounterFileIsRefused) {
  for (std::size_t changes = 2; changes < history_.size(); ++changes) {
    Put({newest().database, before(changes).counter});
    EXPECT_THAT(Unlock(), IsTampering("is older than the broker's database")) << changes;
  }
}

TEST_F(IntegrityTest, MissingBlankOrDamagedCounterFileIsRefused) {
  Put(newest());
  std::filesystem::remove(path_ + ".counter");
  EXPECT_THAT(Unlock(), IsTampering("is missing"));
  for (const char filler : {'\0', '\x7f'}) {
    Put({newest().database, std::string(newest().counter.size(), filler)});
    EXPECT_THAT(Unlock(), RefusedWith(Reason::kSealed));
  }
  Put({newest().database, newest().counter.substr(1)});
  EXPECT_THAT(Unlock(), IsTampering("is damaged"));
}

TEST_F(IntegrityTest, DatabaseOfAnotherStoreIsRefused) {
  const std::string other = directory_ / "other.db";
  {
    ASSERT_THAT(OpenUnlocked(other), IsOk());
  }
  Put({ReadFile(other), newest().counter});
  EXPECT_THAT(Unlock(), IsTampering("belongs to another database"));
}

TEST_F(IntegrityTest, EmptyOrVersion1DatabaseBesideACounterFileIsRefused) {
  Put({"", newest().counter});
  EXPECT_THAT(Unlock(), IsTampering("counts the changes of a later one"));
  const std::string version1 = ReadFile(std::string(LMBROKER_GOLDEN) + "/v1.db");
  Put({version1, newest().counter});
  EXPECT_THAT(Unlock(), IsTampering("counts the changes of a later one"));
  EXPECT_TRUE(ReadFile(path_) == version1);
}

TEST_F(IntegrityTest, DatabaseWithoutAKeyMustBeEmpty) {
  Put(newest());
  ASSERT_TRUE(RawDatabase(path_).Run("DELETE FROM integrity; DELETE FROM sealed_values"));
  std::filesystem::remove(path_ + ".counter");
  EXPECT_THAT(Unlock(), IsTampering("its table `integrity` is empty"));
}

TEST_F(IntegrityTest, RestoredStoreOpensAndTheOneBeforeDoesNot) {
  const std::string copy = directory_ / "copy.db";
  WriteFile(copy, before(5).database);
  {
    const auto store = OpenLocked(copy);
    ASSERT_THAT((*store)->UnlockRestored(TestEnvelope()), IsOk());
  }
  const Files restored{ReadFile(copy), ReadFile(copy + ".counter")};
  Put(restored);
  EXPECT_THAT(Unlock(), IsOk());
  for (std::size_t changes = 0; changes < history_.size(); ++changes) {
    Put({before(changes).database, restored.counter});
    EXPECT_THAT(Unlock(), IsTampering("belongs to another database")) << changes;
  }
}

TEST_F(IntegrityTest, RestoredCopyIsVerifiedToo) {
  const std::string copy = directory_ / "copy.db";
  WriteFile(copy, newest().database);
  ASSERT_TRUE(RawDatabase(copy).Run("UPDATE tokens SET access_id = 'other' WHERE id = 1"));
  EXPECT_THAT((*OpenLocked(copy))->UnlockRestored(TestEnvelope()), IsTampering("the table `tokens`"));
}

TEST_F(IntegrityTest, ChangeByAnotherProcessStopsAllFurtherOnes) {
  Put(newest());
  const auto store = OpenUnlocked(path_);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->PutSetting("a", "1"), IsOk());
  {
    sqlite3* stranger = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &stranger), SQLITE_OK);
    // Moves the log into the file, and changes nothing.
    ASSERT_EQ(sqlite3_exec(stranger, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_THAT((*store)->PutSetting("a", "2"), IsOk());
    ASSERT_EQ(sqlite3_exec(stranger, "UPDATE credentials SET master = 0", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(stranger);
  }
  EXPECT_THAT((*store)->PutSetting("a", "3"), RefusedWith(Reason::kStoreUnavailable));
  EXPECT_THAT((*store)->PutSetting("a", "3"), RefusedWith(Reason::kStoreUnavailable));
  EXPECT_THAT((*store)->Unlock(TestEnvelope()), IsTampering("the table `credentials`"));
}

TEST_F(IntegrityTest, NothingThatChangesNothingIsCounted) {
  Put(newest());
  {
    const auto store = OpenUnlocked(path_);
    ASSERT_THAT((*store)->DeleteToken(Token("acme", 1, 1)), IsOk());
    ASSERT_THAT((*store)->PutSetting("unset", std::nullopt), IsOk());
  }
  EXPECT_TRUE(ReadFile(path_ + ".counter") == newest().counter);
}

// --- Random mutations --------------------------------------------------------------------------------------------

class MutationTest : public IntegrityTest {
 protected:
  std::size_t Below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
  template <class Values>
  const auto& AnyOf(const Values& values) {
    return values.at(Below(values.size()));
  }

  struct Table {
    std::string name;
    std::vector<std::string> columns;
    std::vector<std::size_t> key;  // positions in columns
  };
  using Row = RawDatabase::Row;

  static std::vector<Table> TablesOf(RawDatabase& database) {
    std::vector<Table> tables;
    for (const std::string name : {"credentials", "tokens", "creates", "sealed_values", "settings", "integrity"}) {
      Table& table = tables.emplace_back(Table{.name = name, .columns = {}, .key = {}});
      const auto columns = database.Query(fmt::format("SELECT name, pk FROM pragma_table_info('{}')", name));
      for (const Row& column : *columns) {
        if (column[1] != "0") table.key.push_back(table.columns.size());
        table.columns.push_back(column[0].substr(1, column[0].size() - 2));
      }
    }
    return tables;
  }

  static std::vector<Row> RowsOf(RawDatabase& database, const Table& table) {
    return *database.Query("SELECT * FROM " + table.name);
  }

  static std::string Where(const Table& table, const Row& row) {
    std::string where = " WHERE 1";
    for (const std::size_t column : table.key) where += " AND " + table.columns[column] + " = " + row[column];
    return where;
  }

  static bool IsKey(const Table& table, std::size_t column) {
    return std::find(table.key.begin(), table.key.end(), column) != table.key.end();
  }

  // Another value of the same kind.
  std::string Changed(const std::string& literal) {
    if (literal == "NULL") return AnyOf(std::vector<std::string>{"1", "'x'", "x'00'"});
    if (literal.starts_with("x'")) {
      std::string changed = literal;
      if (changed.size() == 3 || Below(4) == 0) return changed.insert(changed.size() - 1, "00");
      char& digit = changed[2 + Below(changed.size() - 3)];
      digit = digit == '0' ? '1' : '0';
      return changed;
    }
    if (literal.starts_with("'")) {
      const auto kind = Below(3);
      if (kind == 0) return literal.substr(0, literal.size() - 1) + "x'";
      if (kind == 1 && literal.size() > 2) return "''";
      return "'" + std::string(1, static_cast<char>('A' + Below(26))) + literal.substr(1);
    }
    return std::to_string(std::stoll(literal) + (Below(2) == 0 ? 1 : -1) * static_cast<long long>(1ULL << Below(40)));
  }

  // One mutation by SQL; empty when it found nothing to do.
  std::string MutationOf(RawDatabase& database) {
    const std::vector<Table> tables = TablesOf(database);
    const Table& table = AnyOf(tables);
    const std::vector<Row> rows = RowsOf(database, table);
    if (rows.empty()) return "";
    const Row& row = AnyOf(rows);
    const Row& other = AnyOf(rows);
    const std::size_t column = Below(table.columns.size());
    switch (Below(8)) {
      case 0:
      case 1:
        return fmt::format("UPDATE {} SET {} = {}{}", table.name, table.columns[column], Changed(row[column]),
                           Where(table, row));
      case 2:
        return fmt::format("DELETE FROM {}{}", table.name, Where(table, row));
      case 3: {  // twice, under another key
        Row twice = row;
        std::string& part = twice[AnyOf(table.key)];
        part = Changed(part);
        return fmt::format("INSERT INTO {} VALUES ({})", table.name, fmt::join(twice, ", "));
      }
      case 4: {  // what two rows say, exchanged
        std::string sql;
        for (const auto& [to, from] : {std::pair(&row, &other), std::pair(&other, &row)}) {
          for (std::size_t i = 0; i < table.columns.size(); ++i) {
            if (IsKey(table, i)) continue;
            sql += fmt::format("UPDATE {} SET {} = {}{};", table.name, table.columns[i], (*from)[i], Where(table, *to));
          }
        }
        return sql;
      }
      case 5: {  // one column of two rows, exchanged
        if (IsKey(table, column)) return "";
        return fmt::format("UPDATE {0} SET {1} = {2}{3}; UPDATE {0} SET {1} = {4}{5}", table.name,
                           table.columns[column], other[column], Where(table, row), row[column], Where(table, other));
      }
      case 6:
        return fmt::format("UPDATE {} SET {} = {}", table.name, table.columns[column], row[column]);
      default: {  // the row as it was before
        RawDatabase old = RawDatabase::ReadOnly(old_path_);
        const auto was = old.Query("SELECT * FROM " + table.name + Where(table, row));
        if (!was.has_value() || was->empty()) return fmt::format("DELETE FROM {}{}", table.name, Where(table, row));
        return fmt::format("REPLACE INTO {} VALUES ({})", table.name, fmt::join(was->front(), ", "));
      }
    }
  }

  // Bytes of the file, changed as a bad disk or an editor would.
  std::string Damaged(std::string bytes) {
    const std::size_t at = Below(bytes.size());
    switch (Below(5)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1U << Below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(Below(256));
        break;
      case 2:
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min<std::size_t>(16, bytes.size() - at),
                    '\0');
        break;
      case 3: {  // two pages exchanged
        const std::size_t pages = bytes.size() / 4096;
        const std::size_t a = Below(pages) * 4096;
        const std::size_t b = Below(pages) * 4096;
        std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(a),
                         bytes.begin() + static_cast<std::ptrdiff_t>(a + 4096),
                         bytes.begin() + static_cast<std::ptrdiff_t>(b));
        break;
      }
      default: {  // a page as it was before
        const std::string& old = AnyOf(history_).database;
        const std::size_t page = Below(std::min(old.size(), bytes.size()) / 4096) * 4096;
        bytes.replace(page, 4096, old, page, 4096);
      }
    }
    return bytes;
  }

  std::mt19937 random_{20261130};  // NOLINT: the same cases in every run
  const std::string old_path_ = directory_ / "old.db";
};

// Of each kind. Sanitizers make each ten times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kMutations = 500;
#else
constexpr int kMutations = 5000;
#endif

int MutationCount() {
  const char* const cases = std::getenv("LMBROKER_PROPERTY_CASES");  // NOLINT(concurrency-mt-unsafe): one thread
  return cases == nullptr ? kMutations : std::max(1, std::atoi(cases) / 2);
}

TEST_F(MutationTest, EveryChangeOfAnyRowIsFound) {
  Put(newest());
  const std::string truth = *RawDatabase::ReadOnly(path_).Dump();
  int found = 0;
  int harmless = 0;
  while (found < MutationCount()) {
    WriteFile(old_path_, AnyOf(history_).database);
    Put(newest());
    std::string sql;
    {
      RawDatabase database(path_);
      sql = MutationOf(database);
      (void)database.Run(sql);
    }
    const bool changed = *RawDatabase::ReadOnly(path_).Dump() != truth;
    ASSERT_EQ(Unlock().ok(), !changed) << sql;
    ++(changed ? found : harmless);
  }
  EXPECT_GT(harmless, 10);
}

TEST_F(MutationTest, EveryChangeOfTheFileThatSqliteWouldReadIsFound) {
  Put(newest());
  const std::string truth = *RawDatabase::ReadOnly(path_).Dump();
  int found = 0;
  int harmless = 0;
  int refused_all_the_same = 0;
  while (found < MutationCount()) {
    const std::string damaged = Damaged(newest().database);
    Put({damaged, newest().counter});
    const bool changed = RawDatabase::ReadOnly(path_).Dump() != truth;
    const bool opened = Unlock().ok();
    if (changed) {
      ASSERT_FALSE(opened);
      ++found;
    } else {
      ++(opened ? harmless : refused_all_the_same);
    }
  }
  EXPECT_GT(harmless, 10);
  RecordProperty("refused_all_the_same", refused_all_the_same);
}

}  // namespace
}  // namespace lmbroker::store
