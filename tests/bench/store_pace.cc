// What a change of the store costs, with what makes it prove itself and without, interleaved; what the counter file
// alone costs; and how long it takes to verify a store.
//
//   bench_store_pace DIRECTORY CHANGES CREDENTIALS     prints one line for each

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "service/base/random.h"
#include "service/crypto/aead.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_ring.h"
#include "service/store/credential_rows.h"
#include "service/store/sqlite_store.h"

namespace {

using lmbroker::store::CredentialRecord;
using SteadyClock = std::chrono::steady_clock;

CredentialRecord RecordOf(int number) {
  const auto portal = lmbroker::PortalName::FromId("acme", "portal");
  return {.name = *lmbroker::CredentialName::FromId(*portal, fmt::format("c{}", number), "credential"),
          .access_id = "Ab3dE6gH9jK2mN5pQ8sT",
          .create_time = absl::UnixEpoch(),
          .secret = {.bytes = std::string(180, 's'), .key_version = 1}};
}

template <class Work>
double MicrosecondsOf(Work work) {
  const auto start = SteadyClock::now();
  if (!work()) std::abort();
  return std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// The same change as the store makes, and nothing else.
bool PlainUpdate(const lmbroker::store::Database& database, const CredentialRecord& record) {
  auto transaction = lmbroker::store::Transaction::Begin(database);
  return transaction.ok() && UpdateCredentialRow(database, record).ok() && transaction->Commit().ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_store_pace DIRECTORY CHANGES CREDENTIALS\n", stderr);
    return EXIT_FAILURE;
  }
  const std::filesystem::path directory = std::filesystem::path(argv[1]) / "store_pace";
  const int changes = std::atoi(argv[2]);
  const int credentials = std::atoi(argv[3]);
  std::filesystem::create_directories(directory);
  lmbroker::SystemRandom random;
  const std::string ring = directory / "keyring.json";
  (void)lmbroker::crypto::KeyRing::CreateFile(ring, random, absl::UnixEpoch());
  const auto keys = lmbroker::crypto::KeyRing::Load(ring, random);
  if (!keys.ok()) return EXIT_FAILURE;
  const lmbroker::crypto::Envelope envelope(*keys, random);
  const std::string counter = directory / "store.counter";
  auto store = lmbroker::store::SqliteStore::Open({.path = directory / "store.db", .counter = counter}, random);
  auto plain = lmbroker::store::Database::Open(directory / "plain.db", absl::ZeroDuration());
  if (!store.ok() || !plain.ok() || !(*store)->Unlock(envelope).ok()) return EXIT_FAILURE;
  for (int i = 0; i < credentials; ++i) {
    if (!(*store)->InsertCredential(RecordOf(i)).ok() || !InsertCredentialRow(*plain, RecordOf(i)).ok()) std::abort();
  }

  const lmbroker::store::CounterFile alone(directory / "alone.counter");
  const lmbroker::store::StoreKey key(lmbroker::store::StoreKey::NewKey(random));
  const std::string id(16, 'i');
  std::vector<double> with;
  std::vector<double> without;
  std::vector<double> counting;
  for (int i = 0; i < changes; ++i) {
    CredentialRecord record = RecordOf(i % credentials);
    record.version = i + 1;
    with.push_back(MicrosecondsOf([&] { return (*store)->UpdateCredential(record).ok(); }));
    without.push_back(MicrosecondsOf([&] { return PlainUpdate(*plain, record); }));
    counting.push_back(MicrosecondsOf([&] { return alone.Write(key, id, i + 1).ok(); }));
  }
  std::vector<double> verifying;
  for (int i = 0; i < 5; ++i) verifying.push_back(MicrosecondsOf([&] { return (*store)->Unlock(envelope).ok(); }));
  std::printf(
      "change with integrity %.0f us, without %.0f us, counter file alone %.0f us, verify %d credentials %.1f ms\n",
      Median(with), Median(without), Median(counting), credentials, Median(verifying) / 1000);
  store->reset();
  std::filesystem::remove_all(directory);
  return EXIT_SUCCESS;
}
