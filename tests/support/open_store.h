#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "service/base/status_macros.h"
#include "service/store/sqlite_store.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/one_key_wrapper.h"

namespace lmbroker {

// The store at `path`, which waits for nobody; its counter file is beside it.
inline absl::StatusOr<std::unique_ptr<store::SqliteStore>> OpenLocked(const std::string& path) {
  static FakeRandom random;
  return store::SqliteStore::Open({.path = path, .counter = path + ".counter", .wait = absl::ZeroDuration()}, random);
}

// The same, unlocked with the ring of TestEnvelope().
inline absl::StatusOr<std::unique_ptr<store::SqliteStore>> OpenUnlocked(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<store::SqliteStore> store, OpenLocked(path));
  RETURN_IF_ERROR(store->Unlock(TestEnvelope()));
  return store;
}

}  // namespace lmbroker
