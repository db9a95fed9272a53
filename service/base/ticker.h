#pragma once

#include <thread>

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include "service/base/mutex.h"

namespace lmbroker {

// Work done again and again on a thread of its own. The thread starts with the object and ends with it.
class Ticker {
 public:
  // Runs `work` each `interval`, the first time after one.
  Ticker(absl::Duration interval, absl::AnyInvocable<void()> work);
  // Waits for the work under way.
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // Runs the work soon, without waiting for the interval.
  void Poke();

 private:
  void Run();

  const absl::Duration interval_;
  absl::AnyInvocable<void()> work_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lmbroker
