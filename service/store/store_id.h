#pragma once

#include <cstddef>

namespace lmbroker::store {

// A store's id: random bytes, which tell its counter file from that of another store. A restored store gets a new one.
inline constexpr std::size_t kStoreIdBytes = 16;

}  // namespace lmbroker::store
