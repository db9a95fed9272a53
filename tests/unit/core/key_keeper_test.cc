#include "service/core/key_keeper.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/file_key_source.h"
#include "service/crypto/key_ring_file.h"
#include "service/crypto/ring_changes.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/memory_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::core {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

// As cheap as is allowed.
const crypto::ScryptParameters kCheap{
    .n = 16384, .r = 1, .p = 1, .salt = std::string(crypto::ScryptParameters::kSaltBytes, 's')};

// A broker's keys over a real key ring file and a store that survives restarts.
class KeyKeeperTest : public testing::Test {
 protected:
  explicit KeyKeeperTest(std::string passphrase = "") : passphrase_(std::move(passphrase)) {
    std::optional<crypto::RingLock> lock;
    if (!passphrase_.empty()) lock = crypto::RingLock::Derive(Secret(passphrase_), kCheap);
    const crypto::RingContent ring = crypto::NewRing(random_, clock_.Now());
    EXPECT_THAT(crypto::CreateKeyRingFile(ring_, ring, lock.has_value() ? &*lock : nullptr, random_), IsOk());
    Restart();
  }

  // As after the end of the program, however it ended.
  void Restart() {
    keeper_.reset();
    custody_.reset();
    store_.Lock();
    keys_.Set(nullptr);
    has_audit_seed_ = false;
    source_.emplace(ring_, random_);
    custody_ = *Custody::OpenLocked(store_, envelope_, clock_);
    keeper_ = std::make_unique<KeyKeeper>(KeyKeeper::Parts{.clock = clock_,
                                                           .random = random_,
                                                           .logger = logger_,
                                                           .metrics = metrics_,
                                                           .source = *source_,
                                                           .keys = keys_,
                                                           .store = store_,
                                                           .custody = *custody_},
                                          [this](std::optional<Secret> seed) { has_audit_seed_ = seed.has_value(); });
  }
  void Start() { ASSERT_THAT(keeper_->Start(), IsOk()); }

  static CredentialName Name(int number) {
    return *CredentialName::FromId(*PortalName::FromId("acme", "portal"), fmt::format("c{}", number), "credential");
  }
  absl::Status Import(int number) {
    return custody_->Import(
        {.name = Name(number), .type = TokenType::kBearer, .create_time = clock_.Now(), .secret = {}},
        Secret(fmt::format("lmb_secret-of-{}", number)));
  }

  void Change(absl::FunctionRef<absl::Status(crypto::RingContent&)> change) {
    const auto ask = [this]() -> absl::StatusOr<Secret> { return Secret(passphrase_); };
    ASSERT_THAT(crypto::ChangeKeyRingFile(ring_, ask, random_, change), IsOk());
  }
  void Promote() {
    Change([this](auto& ring) { return crypto::AddKey(ring, random_, clock_.Now()).status(); });
    Change([](auto& ring) { return crypto::PromoteKey(ring, std::nullopt).status(); });
  }
  void Retire(std::uint32_t version) {
    Change([version](auto& ring) { return crypto::RetireKey(ring, version); });
  }

  absl::Status Seal() {
    return keeper_->Seal("operator", absl::ZeroDuration(), [] {});
  }
  void ExpectOpen(int count) {
    EXPECT_FALSE(keeper_->state().sealed);
    EXPECT_TRUE(has_audit_seed_);
    for (int i = 0; i < count; ++i) {
      const auto entry = custody_->Lookup(Name(i));
      ASSERT_THAT(entry, IsOk());
      EXPECT_EQ((*entry)->key.secret.Reveal(), fmt::format("lmb_secret-of-{}", i));
    }
  }
  void ExpectSealed() {
    EXPECT_TRUE(keeper_->state().sealed);
    EXPECT_FALSE(has_audit_seed_);
    EXPECT_EQ(keys_.Get(), nullptr);
    EXPECT_EQ(custody_->WaitUntilWiped(absl::ZeroDuration()), 0);
    EXPECT_THAT(store_.PutSetting("any", "value"), RefusedWith(Reason::kSealed));
    EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_sealed 1"));
  }

  const std::string passphrase_;
  FakeClock clock_;
  FakeRandom random_;
  TempDir directory_;
  std::string ring_ = directory_ / "keyring.json";
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{}};
  MemoryStore store_;
  crypto::KeyHolder keys_;
  crypto::Envelope envelope_{keys_, random_};
  std::optional<crypto::FileKeySource> source_;
  std::unique_ptr<Custody> custody_;
  std::unique_ptr<KeyKeeper> keeper_;
  bool has_audit_seed_ = false;
};

TEST_F(KeyKeeperTest, StartOpensWhatIsStored) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  Restart();
  ExpectSealed();
  Start();
  ExpectOpen(1);
  EXPECT_THAT(keeper_->state().error, IsEmpty());
}

TEST_F(KeyKeeperTest, StartWithoutTheRingOrWithAnotherOneIsAnError) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  const std::string good = ReadFile(ring_);
  fs::remove(ring_);
  Restart();
  EXPECT_THAT(keeper_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(ring_)));
  ExpectSealed();
  ASSERT_THAT(crypto::CreateKeyRingFile(ring_, crypto::NewRing(random_, clock_.Now()), nullptr, random_), IsOk());
  EXPECT_THAT(keeper_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("credentials/c0")));
  ExpectSealed();
  WriteFile(ring_, good);
  EXPECT_THAT(keeper_->Start(), IsOk());
  ExpectOpen(1);
}

// The start says which versions are missing.
TEST_F(KeyKeeperTest, StartWithARetiredVersionThatIsNeededIsAnError) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  Promote();
  Retire(1);
  Restart();
  EXPECT_THAT(keeper_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("lacks version 1")));
  ExpectSealed();
}

TEST_F(KeyKeeperTest, SealOutlivesARestartAndUnsealOpensAll) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  ASSERT_THAT(Import(1), IsOk());
  ASSERT_THAT(Seal(), IsOk());
  ExpectSealed();
  EXPECT_THAT(custody_->Lookup(Name(0)), RefusedWith(Reason::kSealed));
  EXPECT_THAT(Seal(), IsOk());
  Restart();
  Start();
  ExpectSealed();
  EXPECT_EQ(custody_->List(std::nullopt).size(), 2U);
  ASSERT_THAT(keeper_->Unseal({}), IsOk());
  ExpectOpen(2);
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_sealed 0"));
  Restart();
  Start();
  ExpectOpen(2);
}

TEST_F(KeyKeeperTest, StoreThatCannotKeepTheSealIsNotSealed) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  store_.FailAfter(0);
  EXPECT_THAT(Seal(), RefusedWith(Reason::kStoreUnavailable));
  ExpectOpen(1);
}

TEST_F(KeyKeeperTest, UnsealWithAWrongRingOpensNothing) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  Promote();
  keeper_->Reload();
  ASSERT_THAT(Import(1), IsOk());
  ASSERT_THAT(Seal(), IsOk());
  const std::string good = ReadFile(ring_);
  Retire(1);
  EXPECT_THAT(keeper_->Unseal({}), RefusedWith(Reason::kSealed));
  ExpectSealed();
  WriteFile(ring_, "{}");
  EXPECT_THAT(keeper_->Unseal({}), RefusedWith(Reason::kSealed));
  ExpectSealed();
  WriteFile(ring_, good);
  // Whatever step fails, it is sealed as before.
  for (int step = 0; step < 5; ++step) {
    store_.FailAfter(step);
    if (keeper_->Unseal({}).ok()) break;
    ExpectSealed();
  }
  store_.FailAfter(0, 0);
  ASSERT_THAT(keeper_->Unseal({}), IsOk());
  ExpectOpen(2);
}

TEST_F(KeyKeeperTest, SealWaitsForCallsAndThenRecallsThem) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  auto in_flight = *custody_->Lookup(Name(0));
  int recalls = 0;
  EXPECT_THAT(keeper_->Seal("operator", absl::ZeroDuration(), [&] { ++recalls; }), RefusedWith(Reason::kDeadline));
  EXPECT_EQ(recalls, 1);
  EXPECT_TRUE(in_flight->recalled.stop_requested());
  EXPECT_TRUE(keeper_->state().sealed);
  in_flight.reset();
  EXPECT_THAT(Seal(), IsOk());
  ExpectSealed();
}

TEST_F(KeyKeeperTest, CallThatLetsGoWhenItIsRecalledLeavesNoKey) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  auto in_flight = *custody_->Lookup(Name(0));
  EXPECT_THAT(keeper_->Seal("operator", absl::Milliseconds(1), [&] { in_flight.reset(); }), IsOk());
  ExpectSealed();
}

TEST_F(KeyKeeperTest, ReloadTakesAPromotionAndRewrapFollows) {
  Start();
  for (int i = 0; i < 5; ++i) ASSERT_THAT(Import(i), IsOk());
  Promote();
  keeper_->Reload();
  EXPECT_EQ(keys_.PrimaryVersion(), 2U);
  keeper_->Rewrap();
  const KeyKeeper::State state = keeper_->state();
  EXPECT_EQ(state.rewrap.done, 6);  // and the store's own key
  EXPECT_EQ(state.rewrap.total, 6);
  EXPECT_THAT(state.error, IsEmpty());
  const auto values = *store_.ListSealedValues();
  for (const store::SealedValue& value : values) EXPECT_EQ(value.secret.key_version, 2U);
  Retire(1);
  keeper_->Reload();
  EXPECT_THAT(keeper_->state().error, IsEmpty());
  Restart();
  Start();
  ExpectOpen(5);
}

TEST_F(KeyKeeperTest, RingThatLacksANeededKeyIsNotTakenAndEverythingSaysSo) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  Promote();
  Retire(1);
  keeper_->Reload();
  EXPECT_EQ(keys_.PrimaryVersion(), 1U);
  EXPECT_THAT(keeper_->state().error, HasSubstr("lacks version 1"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_keyring_loads_total{result=\"failed\"} 1"));
  ExpectOpen(1);
  EXPECT_THAT(Import(1), IsOk());
  // Taken back.
  Change([](auto& ring) { return crypto::PromoteKey(ring, 1).status(); });
  keeper_->Reload();
  EXPECT_THAT(keeper_->state().error, IsEmpty());
}

// The credentials would open, the store's own key would not.
TEST_F(KeyKeeperTest, RingThatDoesNotOpenTheStoresKeyIsNotTaken) {
  Start();
  Promote();
  Retire(1);
  keeper_->Reload();
  EXPECT_THAT(keeper_->state().error, HasSubstr("version 1"));
  EXPECT_EQ(keys_.PrimaryVersion(), 1U);
}

TEST_F(KeyKeeperTest, RingThatIsGoneOrBrokenChangesNothing) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  fs::remove(ring_);
  keeper_->Reload();
  EXPECT_THAT(keeper_->state().error, HasSubstr(ring_));
  WriteFile(ring_, "{\"format\": \"lmbroker-key");
  keeper_->Reload();
  EXPECT_THAT(keeper_->state().error, HasSubstr("is not a key ring"));
  ExpectOpen(1);
}

TEST_F(KeyKeeperTest, SealedBrokerReloadsAndWrapsNothing) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  ASSERT_THAT(Seal(), IsOk());
  Promote();
  keeper_->Reload();
  keeper_->Rewrap();
  ExpectSealed();
  ASSERT_THAT(keeper_->Unseal({}), IsOk());
  EXPECT_EQ(keys_.PrimaryVersion(), 2U);
  ExpectOpen(1);
}

TEST_F(KeyKeeperTest, RewrapThatFailsIsToldAndTriedAgain) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  Promote();
  keeper_->Reload();
  store_.FailAfter(0);
  keeper_->Rewrap();
  EXPECT_THAT(keeper_->state().error, HasSubstr("made the store fail"));
  keeper_->Rewrap();
  EXPECT_THAT(keeper_->state().error, IsEmpty());
  EXPECT_EQ(keeper_->state().rewrap.done, 2);
}

// Kubernetes publishes a new version of a mounted secret by swapping a link; a reader meets one version or the other.
TEST_F(KeyKeeperTest, AThousandSwapsAreNeverReadInPart) {
  Start();
  ASSERT_THAT(Import(0), IsOk());
  const std::string first = ReadFile(ring_);
  Promote();
  const std::string second = ReadFile(ring_);
  const auto publish = [&](int number, const std::string& text) {
    const std::string folder = directory_ / fmt::format("data{}", number);
    fs::create_directory(folder);
    WriteFile(folder + "/keyring.json", text);
    const std::string link = directory_ / "..data_new";
    fs::create_directory_symlink(fmt::format("data{}", number), link);
    fs::rename(link, directory_ / "..data");
    if (number > 0) fs::remove_all(directory_ / fmt::format("data{}", number - 1));
  };
  publish(0, first);
  fs::remove(ring_);
  fs::create_symlink("..data/keyring.json", ring_);
  std::atomic<bool> done = false;
  std::thread kubelet([&] {
    for (int i = 1; i <= 1000; ++i) publish(i, i % 2 == 0 ? first : second);
    done = true;
  });
  std::vector<std::string> errors;
  int reloads = 0;
  while (!done) {
    keeper_->Reload();
    ++reloads;
    if (const std::string error = keeper_->state().error; !error.empty()) errors.push_back(error);
  }
  kubelet.join();
  EXPECT_THAT(errors, IsEmpty());
  EXPECT_GT(reloads, 10);
  ExpectOpen(1);
}

class PassphraseTest : public KeyKeeperTest {
 protected:
  PassphraseTest() : KeyKeeperTest("a passphrase of the test") {}
};

TEST_F(PassphraseTest, ProtectedRingStartsSealedAndOpensWithItsPassphraseAlone) {
  Start();
  ExpectSealed();
  EXPECT_THAT(keeper_->Unseal({}), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(keeper_->Unseal(Secret("another passphrase")), RefusedWith(Reason::kFieldInvalid));
  ExpectSealed();
  ASSERT_THAT(keeper_->Unseal(Secret(passphrase_)), IsOk());
  ASSERT_THAT(Import(0), IsOk());
  ExpectOpen(1);
  Restart();
  Start();
  ExpectSealed();
  ASSERT_THAT(keeper_->Unseal(Secret(passphrase_)), IsOk());
  ExpectOpen(1);
}

TEST_F(PassphraseTest, RotationNeedsNoPassphraseWhileTheBrokerIsOpen) {
  Start();
  ASSERT_THAT(keeper_->Unseal(Secret(passphrase_)), IsOk());
  ASSERT_THAT(Import(0), IsOk());
  Promote();
  keeper_->Reload();
  EXPECT_THAT(keeper_->state().error, IsEmpty());
  EXPECT_EQ(keys_.PrimaryVersion(), 2U);
  ASSERT_THAT(Seal(), IsOk());
  EXPECT_THAT(keeper_->Unseal({}), RefusedWith(Reason::kFieldInvalid)) << "the passphrase's key is wiped, too";
}

TEST_F(PassphraseTest, WrongPassphraseLeavesAnOpenBrokerOpen) {
  Start();
  ASSERT_THAT(keeper_->Unseal(Secret(passphrase_)), IsOk());
  ASSERT_THAT(Import(0), IsOk());
  EXPECT_THAT(keeper_->Unseal(Secret("another passphrase")), RefusedWith(Reason::kFieldInvalid));
  ExpectOpen(1);
  EXPECT_THAT(keeper_->Unseal({}), IsOk());
  ExpectOpen(1);
}

}  // namespace
}  // namespace lmbroker::core
