#include "tests/contract/store_contract.h"

#include <memory>

#include <gtest/gtest.h>

#include "service/store/sqlite_store.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/memory_store.h"
#include "tests/fakes/one_key_wrapper.h"

namespace lmbroker::store {
namespace {

std::unique_ptr<Store> NewMemory(const TempDir&) { return std::make_unique<MemoryStore>(); }

std::unique_ptr<Store> NewSqlite(const TempDir& directory) {
  static FakeRandom random;
  std::unique_ptr<Store> store = *SqliteStore::Open(
      {.path = directory / "store.db", .counter = directory / "store.counter", .wait = absl::ZeroDuration()}, random);
  EXPECT_THAT(store->Unlock(TestEnvelope()), IsOk());
  return store;
}

INSTANTIATE_TEST_SUITE_P(All, StoreContract,
                         testing::Values(StoreCase{"memory", NewMemory}, StoreCase{"sqlite", NewSqlite}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker::store
