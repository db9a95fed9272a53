#include "service/base/ticker.h"

#include <chrono>
#include <utility>

namespace lmbroker {

Ticker::Ticker(absl::Duration interval, absl::AnyInvocable<void()> work)
    : interval_(interval), work_(std::move(work)), thread_([this] { Run(); }) {}

Ticker::~Ticker() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Ticker::Poke() {
  {
    const MutexLock lock(mutex_);
    poked_ = true;
  }
  changed_.notify_all();
}

void Ticker::Run() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      const auto next = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(interval_);
      while (!poked_ && !stopping_ && changed_.wait_until(mutex_, next) == std::cv_status::no_timeout) {
      }
      if (stopping_) return;
      poked_ = false;
    }
    work_();
  }
}

}  // namespace lmbroker
