#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "service/base/scheduler.h"

namespace lmbroker::h2 {

// Someone with something to send.
class Sender {
 public:
  virtual void Flush() = 0;

 protected:
  ~Sender() = default;
};

// Has senders send at the end of the loop's turn, so that answers of one turn to one caller go out together. On the
// loop's thread.
class Flusher {
 public:
  explicit Flusher(Scheduler& loop) : loop_(loop) {}

  // Calls Flush soon, unless the sender has ended by then.
  void Add(std::weak_ptr<Sender> sender) {
    if (waiting_->empty()) loop_.Post([waiting = waiting_] { FlushAll(*waiting); });
    waiting_->push_back(std::move(sender));
  }

 private:
  using Senders = std::vector<std::weak_ptr<Sender>>;

  static void FlushAll(Senders& waiting) {
    for (const auto& each : std::exchange(waiting, {})) {
      if (const auto sender = each.lock(); sender != nullptr) sender->Flush();
    }
  }

  Scheduler& loop_;
  // Shared with what was posted, which may run after the end of this.
  const std::shared_ptr<Senders> waiting_ = std::make_shared<Senders>();
};

}  // namespace lmbroker::h2
