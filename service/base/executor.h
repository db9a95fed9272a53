#pragma once

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "service/base/mutex.h"

namespace lmbroker {

// A bounded pool of threads for work that may block (token administration). Never waits to accept: it says no.
class Executor {
 public:
  struct Options {
    std::size_t threads = 4;
    std::size_t most_queued = 256;
  };

  explicit Executor(Options options);
  // Runs what was accepted, then joins.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs `work` on a thread of the pool; false when the queue is full (then `work` is dropped).
  bool TryPost(absl::AnyInvocable<void()> work);

 private:
  void Work();

  const Options options_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace lmbroker
