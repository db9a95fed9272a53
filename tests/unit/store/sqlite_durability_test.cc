// What survives: a kill, a disk that fails or is full, a damaged file.

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/status_macros.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_ring.h"
#include "service/store/sqlite_store.h"
#include "service/store/store_key.h"
#include "tests/fakes/faulty_vfs.h"
#include "tests/support/open_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_records.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::store {
namespace {

using testing::AnyOf;
using testing::Eq;

absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path) { return OpenUnlocked(path); }

// All that is in the store, as text to compare.
std::string Contents(SqliteStore& store) {
  std::string text;
  const auto credentials = store.ListCredentials(std::nullopt);
  const auto tokens = store.ListTokens(Portal("acme"));
  const auto creates = store.OpenCreates();
  const auto rotations = store.ListRotations();
  const auto values = store.ListSealedValues();
  const auto leases = store.ListLeases({});
  const bool readable = credentials.ok() && tokens.ok() && creates.ok() && rotations.ok() && values.ok() && leases.ok();
  if (!readable) return "unreadable";
  for (const CredentialRecord& record : *credentials) {
    text += fmt::format("{} v{}{}\n", record.name.ToString(), record.version,
                        record.state == CredentialState::kRotating ? " rotating" : "");
  }
  for (const TokenRecord& record : *tokens) {
    text += fmt::format("{} {}\n", record.name.ToString(), record.credential.has_value() ? "bound" : "unbound");
  }
  for (const CreateIntent& create : *creates) {
    text += fmt::format("{} {}\n", create.marker, create.token.has_value() ? "committed" : "intended");
  }
  for (const Rotation& rotation : *rotations) {
    text += fmt::format("{} {}\n", rotation.marker, static_cast<int>(rotation.phase));
  }
  for (const SealedValue& value : *values) {
    if (value.name != StoreKey::kName) text += value.name + "\n";
  }
  for (const LeaseRecord& lease : *leases) {
    text += fmt::format("{} leased, {} tries\n", lease.token.ToString(), lease.attempts);
  }
  return text;
}

const CredentialName kReader = Credential("acme", "reader");
const CredentialName kWriter = Credential("acme", "writer");
const TokenName kToken = Token("acme", 32, 41);
const TokenName kNext = Token("acme", 32, 42);
const CredentialName kRotated = Credential("acme", "rotated");
const TokenName kRetiring = Token("acme", 33, 50);
const TokenName kFresh = Token("acme", 33, 51);

SealedValue SecretOf(const std::string& marker) { return {.name = RotationSecretName(marker), .secret = {}}; }

TokenRecord KeptToken(const TokenName& name) {
  TokenRecord token = MakeToken(name, std::nullopt);
  token.custody = TokenCustody::kBroker;
  return token;
}

// A store in which every change below finds what it needs.
void Prepare(SqliteStore& store) {
  ASSERT_THAT(store.BeginCreate(MakeIntent("first", kToken.admin(), kReader), std::nullopt), IsOk());
  ASSERT_THAT(store.CommitCreate("first", MakeLeasedToken(kToken, kReader), MakeCredential(kReader, kToken)), IsOk());
  ASSERT_THAT(store.BeginCreate(MakeIntent("second", kNext.admin(), kWriter), std::nullopt), IsOk());
  for (const std::string marker : {"stored", "intended"}) {
    const CredentialName name = marker == "stored" ? kRotated : Credential("acme", "rotating");
    ASSERT_THAT(store.InsertCredential(MakeCredential(name, kRetiring)), IsOk());
    ASSERT_THAT(store.BeginRotation(MakeRotation(marker, name, kRetiring)), IsOk());
  }
  ASSERT_THAT(store.StoreRotation("stored", KeptToken(kFresh), SecretOf("stored")), IsOk());
}

struct Change {
  std::string name;
  std::function<absl::Status(Store&)> run;
};

std::vector<Change> Changes() {
  CredentialRecord updated = MakeCredential(kReader, kToken);
  updated.version = 8;
  updated.secret.bytes = std::string(100'000, 's');  // many pages
  return {
      {"InsertCredential", [](Store& store) { return store.InsertCredential(MakeCredential(kWriter)); }},
      {"UpdateCredential", [updated](Store& store) { return store.UpdateCredential(updated); }},
      {"DeleteCredential", [](Store& store) { return store.DeleteCredential(kReader); }},
      {"DeleteToken", [](Store& store) { return store.DeleteToken(kToken); }},
      {"BeginCreate",
       [](Store& store) { return store.BeginCreate(MakeIntent("third", kToken.admin(), kWriter), std::nullopt); }},
      {"CommitCreate",
       [](Store& store) {
         return store.CommitCreate("second", MakeLeasedToken(kNext, kWriter), MakeCredential(kWriter, kNext));
       }},
      {"UpdateLease",
       [](Store& store) {
         return store.UpdateLease({.token = kToken,
                                   .expire_time = absl::UnixEpoch(),
                                   .next_time = absl::UnixEpoch(),
                                   .attempts = 7,
                                   .last_error = "PORTAL_ERROR"});
       }},
      {"EndCreate", [](Store& store) { return store.EndCreate("first", CreatePhase::kFinished); }},
      {"BeginRotation", [](Store& store) { return store.BeginRotation(MakeRotation("next", kReader, kToken)); }},
      {"StoreRotation",
       [](Store& store) {
         return store.StoreRotation("intended", KeptToken(Token("acme", 33, 52)), SecretOf("intended"));
       }},
      {"PromoteRotation",
       [](Store& store) {
         CredentialRecord promoted = MakeCredential(kRotated, kFresh);
         promoted.version = 8;
         return store.PromoteRotation("stored", promoted);
       }},
      {"EndRotation", [](Store& store) { return store.EndRotation("stored"); }},
  };
}

class FailingDiskTest : public testing::TestWithParam<Change> {
 protected:
  FaultyVfs disk_;
  TempDir directory_;
};

// Fails the disk at every single step of the change, with an error and as full.
TEST_P(FailingDiskTest, ChangeIsWholeOrRefusedWithoutEffect) {
  for (const int code : {SQLITE_IOERR_FSYNC, SQLITE_FULL}) {
    bool failed = true;
    for (int good = 0; failed; ++good) {
      const std::string path = directory_ / fmt::format("{}-{}.db", code, good);
      auto store = Open(path);
      ASSERT_THAT(store, IsOk());
      Prepare(**store);
      const std::string before = Contents(**store);

      disk_.FailAfter(good, code);
      const absl::Status status = GetParam().run(**store);
      failed = disk_.failures() > 0;
      disk_.Heal();

      if (!failed) {
        ASSERT_THAT(status, IsOk());
        EXPECT_GT(good, 0) << "the disk was never asked";
        EXPECT_NE(Contents(**store), before);
        continue;
      }
      EXPECT_THAT(status, RefusedWith(Reason::kStoreUnavailable)) << good;
      EXPECT_EQ(Contents(**store), before) << good;
      // A disk that comes back is used again.
      EXPECT_THAT(GetParam().run(**store), IsOk()) << good;
      const std::string after = Contents(**store);
      EXPECT_NE(after, before);
      store->reset();
      EXPECT_EQ(Contents(**Open(path)), after) << good;
    }
  }
}

// The same, but the process dies right after: what a restart finds is all or nothing.
TEST_P(FailingDiskTest, RestartAfterAFailureFindsAllOrNothing) {
  bool failed = true;
  for (int good = 0; failed; ++good) {
    const std::string path = directory_ / fmt::format("{}.db", good);
    const std::string copy = path + ".copy";
    auto store = Open(path);
    Prepare(**store);
    const std::string before = Contents(**store);
    disk_.FailAfter(good, SQLITE_IOERR_FSYNC);
    (void)GetParam().run(**store);
    failed = disk_.failures() > 0;
    disk_.Heal();
    // The files as a kill would leave them.
    std::filesystem::copy_file(path, copy);
    std::filesystem::copy_file(path + "-wal", copy + "-wal");
    std::filesystem::copy_file(path + ".counter", copy + ".counter");
    if (failed) {
      ASSERT_THAT(GetParam().run(**store), IsOk());
    }
    const auto restarted = Open(copy);
    ASSERT_THAT(restarted, IsOk()) << good;
    EXPECT_THAT(Contents(**restarted), AnyOf(Eq(before), Eq(Contents(**store)))) << good;
  }
}

// The files of a store as they are at one moment, and would be after a kill.
class Snapshot {
 public:
  explicit Snapshot(const std::string& path) {
    for (const std::string_view end : {"", "-wal", ".counter"}) {
      const std::string file = path + std::string(end);
      if (std::filesystem::exists(file)) files_.emplace_back(end, ReadFile(file));
    }
  }
  void CopyTo(const std::string& path) const {
    for (const auto& [end, content] : files_) WriteFile(path + end, content);
  }
  bool operator==(const Snapshot&) const = default;

 private:
  std::vector<std::pair<std::string, std::string>> files_;
};

// Every state of the disk while `run` changes the store at `path`.
std::vector<Snapshot> StatesDuring(FaultyVfs& disk, const std::string& path, const std::function<void()>& run) {
  std::vector<Snapshot> states;
  const auto look = [&] {
    Snapshot now(path);
    if (states.empty() || !(states.back() == now)) states.push_back(std::move(now));
  };
  disk.WatchWith(look);
  run();
  look();
  disk.WatchWith(nullptr);
  return states;
}

TEST_P(FailingDiskTest, KillAtAnyMomentLeavesAStoreThatOpensWithAllOrNothing) {
  const std::string path = directory_ / "store.db";
  auto store = Open(path);
  Prepare(**store);
  const std::string before = Contents(**store);
  const auto states = StatesDuring(disk_, path, [&] { ASSERT_THAT(GetParam().run(**store), IsOk()); });
  const std::string after = Contents(**store);
  ASSERT_GT(states.size(), 3U);
  int number = 0;
  for (const Snapshot& state : states) {
    const std::string copy = directory_ / fmt::format("{}.db", number++);
    state.CopyTo(copy);
    auto restarted = Open(copy);
    ASSERT_THAT(restarted, IsOk()) << number;
    EXPECT_THAT(Contents(**restarted), AnyOf(Eq(before), Eq(after))) << number;
    // It goes on from there, and knows itself again.
    ASSERT_THAT((*restarted)->PutSetting("next", "1"), IsOk());
    restarted->reset();
    EXPECT_THAT(Open(copy), IsOk()) << number;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FailingDiskTest, testing::ValuesIn(Changes()),
                         [](const auto& test) { return test.param.name; });

class DurabilityTest : public testing::Test {
 protected:
  TempDir directory_;
  const std::string path_ = directory_ / "store.db";
};

TEST_F(DurabilityTest, KillDuringTheFirstStartLeavesAStoreThatOpens) {
  FaultyVfs disk;
  const auto states = StatesDuring(disk, path_, [&] { ASSERT_THAT(Open(path_), IsOk()); });
  ASSERT_GT(states.size(), 5U);
  int number = 0;
  for (const Snapshot& state : states) {
    const std::string copy = directory_ / fmt::format("{}.db", number++);
    state.CopyTo(copy);
    ASSERT_THAT(Open(copy), IsOk()) << number;
    EXPECT_THAT(Open(copy), IsOk()) << number;
  }
}

TEST_F(DurabilityTest, KillWhileVersion1IsUpgradedLeavesAStoreThatOpens) {
  FaultyVfs disk;
  WriteFile(path_, ReadFile(std::string(LMBROKER_GOLDEN) + "/v1.db"));
  const std::string content = Contents(**OpenLocked(path_));
  ASSERT_NE(content, "unreadable");
  const auto states = StatesDuring(disk, path_, [&] { ASSERT_THAT(Open(path_), IsOk()); });
  ASSERT_GT(states.size(), 5U);
  int number = 0;
  for (const Snapshot& state : states) {
    const std::string copy = directory_ / fmt::format("{}.db", number++);
    state.CopyTo(copy);
    for (int start = 0; start < 2; ++start) {
      const auto store = Open(copy);
      ASSERT_THAT(store, IsOk()) << number;
      EXPECT_EQ(Contents(**store), content) << number;
    }
  }
}

TEST_F(DurabilityTest, KillWhileVersion2IsUpgradedLeavesAStoreThatOpens) {
  const std::string golden = LMBROKER_GOLDEN;
  const std::string ring_path = directory_ / "keyring.json";
  WriteFile(ring_path, ReadFile(golden + "/keyring.json"));
  FakeRandom random;
  const auto ring = crypto::KeyRing::Load(ring_path, random);
  ASSERT_THAT(ring, IsOk());
  const crypto::Envelope envelope(*ring, random);
  const auto open = [&](const std::string& path) -> absl::StatusOr<std::unique_ptr<SqliteStore>> {
    ASSIGN_OR_RETURN(std::unique_ptr<SqliteStore> store, OpenLocked(path));
    RETURN_IF_ERROR(store->Unlock(envelope));
    return store;
  };
  FaultyVfs disk;
  WriteFile(path_, ReadFile(golden + "/v2.db"));
  WriteFile(path_ + ".counter", ReadFile(golden + "/v2.counter"));
  const std::string content = Contents(**OpenLocked(path_));
  ASSERT_NE(content, "unreadable");
  const auto states = StatesDuring(disk, path_, [&] { ASSERT_THAT(open(path_), IsOk()); });
  ASSERT_GT(states.size(), 5U);
  int number = 0;
  for (const Snapshot& state : states) {
    const std::string copy = directory_ / fmt::format("{}.db", number++);
    state.CopyTo(copy);
    for (int start = 0; start < 2; ++start) {
      const auto store = open(copy);
      ASSERT_THAT(store, IsOk()) << number;
      EXPECT_EQ(Contents(**store), content) << number;
    }
  }
}

TEST_F(DurabilityTest, CounterFileThatCannotBeWrittenStopsTheNextChange) {
  const auto store = Open(path_);
  ASSERT_THAT(store, IsOk());
  const std::string counter = path_ + ".counter";
  const std::string elsewhere = directory_ / "elsewhere";
  std::filesystem::rename(counter, elsewhere);
  std::filesystem::create_directory(counter);
  EXPECT_THAT((*store)->InsertCredential(MakeCredential(kReader)), IsOk());
  EXPECT_THAT((*store)->InsertCredential(MakeCredential(kWriter)), RefusedWith(Reason::kStoreUnavailable));
  EXPECT_THAT((*store)->GetCredential(kReader), IsOk());
  EXPECT_THAT((*store)->GetCredential(kWriter), RefusedWith(Reason::kUnknownCredential));
  std::filesystem::remove(counter);
  std::filesystem::rename(elsewhere, counter);
  EXPECT_THAT((*store)->InsertCredential(MakeCredential(kWriter)), IsOk());
}

TEST_F(DurabilityTest, KilledProcessLeavesEveryCommittedRow) {
  int reports[2];
  ASSERT_EQ(pipe(reports), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = Open(path_);
    for (int i = 0; store.ok(); ++i) {
      if (!(*store)->InsertCredential(MakeCredential(Credential("acme", fmt::format("c{}", i)))).ok()) break;
      if (write(reports[1], "x", 1) != 1) break;  // only now it counts as done
    }
    _exit(1);
  }
  close(reports[1]);
  std::size_t done = 0;
  for (char byte = 0; done < 50 && read(reports[0], &byte, 1) == 1;) ++done;
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int result = 0;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  ASSERT_TRUE(WIFSIGNALED(result));
  for (char byte = 0; read(reports[0], &byte, 1) == 1;) ++done;
  close(reports[0]);

  const auto store = Open(path_);
  ASSERT_THAT(store, IsOk());
  for (std::size_t i = 0; i < done; ++i) {
    EXPECT_THAT((*store)->GetCredential(Credential("acme", fmt::format("c{}", i))), IsOk()) << i;
  }
}

// The kernel itself refuses to let the files grow: what the process sees of a full disk, without a full disk.
TEST_F(DurabilityTest, FullDiskIsStoreUnavailableAndChangesNothing) {
  {
    Prepare(**Open(path_));
  }
  const pid_t child = fork();
  if (child == 0) {
    const auto store = Open(path_);
    if (!store.ok()) _exit(10);
    const std::string before = Contents(**store);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 64 * 1024, .rlim_max = 64 * 1024};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(11);
    CredentialRecord large = MakeCredential(kWriter);
    large.secret.bytes = std::string(200'000, 's');
    if (!IsRefusal((*store)->InsertCredential(large), Reason::kStoreUnavailable)) _exit(12);
    if (Contents(**store) != before) _exit(13);
    _exit((*store)->InsertCredential(MakeCredential(kWriter)).ok() ? 0 : 14);  // what has room still goes
  }
  int result = -1;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_EQ(WEXITSTATUS(result), 0);
  const auto store = Open(path_);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->GetCredential(kWriter), IsOk());
}

// Overwrites 16 bytes at every 200th place of the file. Whatever is hit: an error or the truth, and never a crash.
TEST_F(DurabilityTest, DamagedFileIsAnErrorOrHarmless) {
  const FaultyVfs quick_disk;
  {
    const auto store = Open(path_);
    Prepare(**store);
    CredentialRecord large = MakeCredential(kWriter);
    large.secret.bytes = std::string(20'000, 's');
    ASSERT_THAT((*store)->InsertCredential(large), IsOk());
  }
  const std::string good = ReadFile(path_);
  const std::string counter = ReadFile(path_ + ".counter");
  const std::string truth = Contents(**Open(path_));
  int noticed = 0;
  for (std::size_t at = 0; at + 16 <= good.size(); at += 200) {
    for (const char filler : {'\0', '\xff'}) {
      std::string bad = good;
      bad.replace(at, 16, 16, filler);
      WriteFile(path_, bad);
      WriteFile(path_ + ".counter", counter);
      std::filesystem::remove(path_ + "-wal");  // of a damaged file that could not be closed
      const auto store = Open(path_);
      if (!store.ok()) {
        EXPECT_THAT(store,
                    AnyOf(StatusIs(absl::StatusCode::kFailedPrecondition), RefusedWith(Reason::kStoreUnavailable)))
            << at;
        ++noticed;
        continue;
      }
      (void)Contents(**store);
      (void)(*store)->DeleteToken(kToken);
    }
  }
  EXPECT_GT(noticed, 20);
  WriteFile(path_, good);
  WriteFile(path_ + ".counter", counter);
  std::filesystem::remove(path_ + "-wal");
  EXPECT_EQ(Contents(**Open(path_)), truth);
}

TEST_F(DurabilityTest, TruncatedFileIsRefused) {
  {
    Prepare(**Open(path_));
  }
  const std::string good = ReadFile(path_);
  for (std::size_t size = 1; size < good.size(); size += 499) {
    WriteFile(path_, good.substr(0, size));
    EXPECT_THAT(Open(path_), StatusIs(absl::StatusCode::kFailedPrecondition)) << size;
  }
}

}  // namespace
}  // namespace lmbroker::store
