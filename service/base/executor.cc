#include "service/base/executor.h"

#include <utility>

namespace lmbroker {

Executor::Executor(Options options) : options_(options) {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

Executor::~Executor() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Executor::TryPost(absl::AnyInvocable<void()> work) {
  {
    const MutexLock lock(mutex_);
    if (stopping_ || queue_.size() >= options_.most_queued) return false;
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void Executor::Work() {
  while (true) {
    absl::AnyInvocable<void()> work;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace lmbroker
