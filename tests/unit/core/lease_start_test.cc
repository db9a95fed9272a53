// How long a broker with many leases takes to start, on the disk and with the keys of a real one. LMBROKER_LEASES says
// how many; for 100000 put TMPDIR on a memory disk, for making them is what takes its time.

#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/clock.h"
#include "service/core/custody.h"
#include "tests/support/open_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_records.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::core {
namespace {

using testing::SizeIs;

int LeaseCount() {
  const char* const count = std::getenv("LMBROKER_LEASES");  // NOLINT(concurrency-mt-unsafe): one thread
  return count == nullptr ? 200 : std::stoi(count);
}

// Every tenth token is in the broker's custody, with a key of LM's length; the others were handed over. All have
// expired.
void Fill(store::Store& store, const crypto::Envelope& envelope, int count) {
  const absl::Time end = absl::FromUnixSeconds(1'700'000'000);
  for (int id = 1; id <= count; ++id) {
    const TokenName token = Token("acme", 32, id);
    const std::string marker = fmt::format("lmbroker:{}", id);
    const bool kept = id % 10 == 0;
    const CredentialName name = Credential("acme", fmt::format("token-32-{}", id));
    const std::optional<CredentialName> handle = kept ? std::optional(name) : std::nullopt;
    store::TokenRecord record = MakeToken(token, handle);
    record.expire_time = end;
    std::optional<store::CredentialRecord> credential;
    if (kept) {
      credential = store::CredentialRecord{.name = name, .token = token, .create_time = end, .secret = {}};
      credential->secret = *envelope.Seal(Secret(fmt::format("lma_{:044}", id)), {.credential = name, .version = 1});
    }
    ASSERT_THAT(store.BeginCreate(MakeIntent(marker, token.admin(), handle), std::nullopt), IsOk());
    ASSERT_THAT(store.CommitCreate(marker, record, credential), IsOk());
    ASSERT_THAT(store.EndCreate(marker, store::CreatePhase::kFinished), IsOk());
  }
}

// Row 29 of the promises.
TEST(LeaseStartTest, RestartWithManyLeasesIsQuick) {
  const TempDir directory;
  const std::string path = directory / "store.db";
  const TestEnvelope envelope;
  const int count = LeaseCount();
  {
    const auto store = OpenUnlocked(path);
    ASSERT_THAT(store, IsOk());
    Fill(**store, envelope, count);
  }
  const SystemClock clock;
  const absl::Duration start = clock.Monotonic();
  const auto store = OpenUnlocked(path);
  ASSERT_THAT(store, IsOk());
  const auto custody = Custody::OpenLocked(**store, envelope, clock);
  ASSERT_THAT(custody, IsOk());
  ASSERT_THAT((*custody)->Unlock(envelope, [] { return absl::OkStatus(); }), IsOk());
  const auto due = (*store)->DueLeases(Portal("acme"), store::LeaseState::kActive, clock.Now(), 100);
  EXPECT_THAT(*due, SizeIs(100));
  const absl::Duration took = clock.Monotonic() - start;
  EXPECT_LE(took, absl::Seconds(5));
  const absl::Duration sweep = clock.Monotonic();
  for (int i = 0; i < 10; ++i)
    EXPECT_THAT((*store)->DueLeases(Portal("acme"), store::LeaseState::kActive, clock.Now(), 5), IsOk());
  EXPECT_EQ(*(*store)->CountStuckLeases(Portal("acme")), 0);
  RecordProperty("leases", count);
  fmt::print("{} leases: start {}, ten looks at what is due {}\n", count, absl::FormatDuration(took),
             absl::FormatDuration(clock.Monotonic() - sweep));
}

}  // namespace
}  // namespace lmbroker::core
