// A rotation in which something fails, or the process ends, at each place where something can: a call of the store, or
// a request to the portal. Whatever happens, the credential always has a key that the portal takes, never more than two
// tokens are enabled, calls in flight keep a good key, and in the end there is one token and nothing else.

#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>

#include <fmt/format.h>

#include "tests/unit/core/rotation_fixture.h"

namespace lmbroker::core {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using Fault = FakePortal::Fault;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSeeds = 20;
#else
constexpr int kSeeds = 100;
#endif

int SeedCount() {
  const char* const wanted = std::getenv("LMBROKER_MUTATIONS");  // NOLINT(concurrency-mt-unsafe): one thread
  return wanted == nullptr ? kSeeds : std::atoi(wanted);
}

// What goes wrong, counted in places from the beginning of the call.
struct Plan {
  enum class What { kNothing, kDeath, kStore, kPortal, kKey };
  What what = What::kNothing;
  int at = 0;
  int length = 1;                 // of a failure of the store or the portal
  Fault fault = Fault::kNotSent;  // of the portal
  int second_death = 0;           // that many places after a restart; 0: none
  bool master = false;
  bool by_token = false;  // RotateToken rather than RotateCredential
  TokenType type = TokenType::kLmv1;
  bool holds_call = false;

  std::string ToString() const {
    return fmt::format("what {} at {} length {} fault {} second {} master {} by_token {} type {} holds {}",
                       static_cast<int>(what), at, length, static_cast<int>(fault), second_death, master, by_token,
                       static_cast<int>(type), holds_call);
  }
};

class World final : public RotationTest {
 public:
  explicit World(const Plan& plan) : RotationTest(plan.type), plan_(plan) {
    portal_.OnRequest([this](const std::string&) { Check(); });
    store_.FailWhen([this] { return StoreFails(); });
    portal_.FailWith([this] { return PortalFault(); });
    if (plan.what == Plan::What::kKey) portal_.RefuseKeysFrom(42);
  }

  // How many places there were.
  int Run() {
    death_at_ = plan_.what == Plan::What::kDeath ? plan_.at : 0;
    Hold();
    Check();
    const absl::Status answer = Rotate();
    Check();
    const int places = place_;
    GoOn();
    AwaitEnd();
    CheckEnd(answer);
    return places;
  }

 private:
  void TestBody() override {}

  const Plan plan_;
  const CredentialName name_ = Credential(plan_.master ? "root" : "reader");
  const std::int32_t admin_ = plan_.master ? 33 : 32;

  bool Dies() {
    ++place_;
    if (death_at_ != 0 && place_ >= death_at_) dead_ = true;
    return dead_;
  }
  bool IsDisturbed() const { return !calm_ && place_ >= plan_.at && place_ < plan_.at + plan_.length; }
  bool StoreFails() { return Dies() || (plan_.what == Plan::What::kStore && IsDisturbed()); }
  Fault PortalFault() {
    if (Dies()) return Fault::kNotSent;
    return plan_.what == Plan::What::kPortal && IsDisturbed() ? plan_.fault : Fault::kNone;
  }

  void Hold() {
    if (plan_.holds_call) held_ = *custody_->Lookup(name_);
  }
  absl::Status Rotate() {
    if (!plan_.by_token) return RotateCredential(name_.id()).status();
    return RotateToken(Token41()).status();
  }

  // As a caller would find it now.
  void Check() {
    if (dead_) return;
    const auto entry = custody_->Lookup(name_);
    ASSERT_THAT(entry, IsOk());
    EXPECT_TRUE(IsTaken((*entry)->key)) << "locked out";
    EXPECT_LE(LiveOf(admin_), 2);
    if (held_ != nullptr) {
      EXPECT_TRUE(IsTaken(held_->key)) << "a call in flight has lost its key";
    }
  }

  // The process ends, if it has died, and another one begins; perhaps twice.
  void GoOn() {
    for (int deaths = 0; deaths < 2; ++deaths) {
      if (dead_) BeginAnew(deaths == 0 ? plan_.second_death : 0);
      for (int i = 0; i < 20 && !dead_; ++i) Pass(absl::Seconds(15));
    }
    calm_ = true;
    if (dead_) BeginAnew(0);
    held_ = nullptr;
  }
  void BeginAnew(int places_to_death) {
    held_ = nullptr;
    dead_ = false;
    death_at_ = 0;
    Restart();
    Check();
    if (places_to_death > 0) death_at_ = place_ + places_to_death;
    if (plan_.holds_call) held_ = *custody_->Lookup(name_);
  }

  void AwaitEnd() {
    for (int i = 0; i < 2000; ++i) {
      Pass(absl::Seconds(15));
      Check();
      if (store_.ListRotations()->empty()) return;
    }
    FAIL() << "the rotation does not end";
  }

  void CheckEnd(const absl::Status& answer) {
    portal_.OnRequest({});
    const auto record = store_.GetCredential(name_);
    ASSERT_THAT(record, IsOk());
    EXPECT_EQ(record->state, store::CredentialState::kActive);
    if (answer.ok()) {
      EXPECT_EQ(record->version, 2);
    }
    const bool clear = !answer.ok() && !IsRefusal(answer, Reason::kOutcomeUnknown);
    if (clear && plan_.what != Plan::What::kDeath) {
      EXPECT_EQ(record->version, 1) << answer;
    }
    if (plan_.what == Plan::What::kKey) {
      EXPECT_EQ(record->version, 1);
    }
    const auto rows = TokensOf(admin_);
    ASSERT_THAT(rows, SizeIs(1));
    EXPECT_EQ(record->token, Token41(admin_, rows[0].id));
    EXPECT_EQ(rows[0].note, plan_.master ? "the broker's" : kNote);
    EXPECT_EQ(rows[0].status, TokenStatus::kEnabled);
    EXPECT_THAT(*store_.ListSealedValues(), IsEmpty());
    const auto memory = custody_->Lookup(name_);
    ASSERT_THAT(memory, IsOk());
    EXPECT_EQ((*memory)->record.version, record->version);
    Restart();
    const auto stored = custody_->Lookup(name_);
    ASSERT_THAT(stored, IsOk());
    EXPECT_TRUE(IsTaken((*stored)->key));
    EXPECT_EQ((*memory)->key.secret.Reveal(), (*stored)->key.secret.Reveal());
    const auto tokens = store_.ListTokens(Acme());
    for (const store::TokenRecord& token : *tokens) EXPECT_TRUE(token.credential.has_value()) << token.name.ToString();
    if (plan_.what != Plan::What::kKey) {
      EXPECT_EQ(portal_.refusals(), 0) << "some call was made with a bad key";
    }
  }

  int place_ = 0;
  int death_at_ = 0;
  bool dead_ = false;
  bool calm_ = false;
  std::shared_ptr<const Custody::Entry> held_;
};

Plan MakePlan(Plan::What what, int at, std::mt19937& random) {
  const auto pick = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  Plan plan{.what = what, .at = at};
  plan.length = 1 + pick(3) * pick(4);
  plan.fault = static_cast<Fault>(1 + pick(static_cast<int>(Fault::kGarbage)));
  plan.second_death = pick(2) * (1 + pick(12));
  plan.master = pick(2) == 0;
  plan.by_token = !plan.master && pick(2) == 0;
  plan.type = pick(2) == 0 ? TokenType::kLmv1 : TokenType::kBearer;
  plan.holds_call = pick(3) == 0;
  return plan;
}

TEST(RotationFaultsTest, NeverLockedOutNeverMoreThanTwoLiveAlwaysEnds) {
  using enum Plan::What;
  std::map<int, int> runs;  // by the place
  for (const bool master : {false, true}) {
    const int places = World({.master = master, .by_token = !master}).Run();
    EXPECT_GE(places, 15);
  }
  constexpr int kPlaces = 24;  // those of the call, and the first ones of the background
  std::mt19937 random(1);
  for (int at = 1; at <= kPlaces; ++at) {
    for (int seed = 0; seed < SeedCount(); ++seed) {
      constexpr Plan::What kWhats[] = {kDeath, kDeath, kPortal, kPortal, kStore, kKey};
      const Plan plan = MakePlan(kWhats[seed % 6], at, random);
      World(plan).Run();
      ++runs[at];
      if (testing::Test::HasFailure()) FAIL() << "place " << at << " seed " << seed << ": " << plan.ToString();
    }
  }
  EXPECT_THAT(runs, SizeIs(kPlaces));
}

}  // namespace
}  // namespace lmbroker::core
