#include "service/h2/connection_count.h"

namespace lmbroker::h2 {

std::optional<ConnectionCount::Place> ConnectionCount::TryEnter() {
  Place place(open_);
  if (open_->fetch_add(1, std::memory_order_relaxed) < limit_) return place;
  return std::nullopt;  // what was added is taken back with the place
}

}  // namespace lmbroker::h2
