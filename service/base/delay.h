#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include <absl/time/time.h>

#include "service/base/scheduler.h"

namespace lmbroker {

// A wait for coroutines: `Delay delay(scheduler, until, cancelled); const bool elapsed = co_await delay;`. Resumes on
// the scheduler's thread, once Clock::Monotonic reaches `until` (true), or `cancelled` is requested or somebody wakes
// it (false).
class [[nodiscard]] Delay {
 public:
  Delay(Scheduler& scheduler, absl::Duration until, std::stop_token cancelled)
      : state_(std::make_shared<State>(scheduler, until, std::move(cancelled))) {}

  // Ends the wait, also one that begins only later. From any thread, any number of times, also when the wait is over.
  std::function<void()> Waker() const {
    return [state = state_] {
      state->scheduler.Post([state] {
        state->woken = true;
        if (state->waiter) End(state, /*elapsed=*/false);
      });
    };
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    // On the scheduler's thread alone, so that the timer, the cancellation and their end never meet.
    state_->scheduler.Post([state = state_, waiter] { Arm(state, waiter); });
  }
  bool await_resume() const noexcept { return state_->elapsed; }

 private:
  struct State {
    State(Scheduler& s, absl::Duration u, std::stop_token c) : scheduler(s), until(u), cancelled(std::move(c)) {}

    Scheduler& scheduler;
    const absl::Duration until;
    const std::stop_token cancelled;
    // The rest on the scheduler's thread only, once somebody waits.
    std::coroutine_handle<> waiter;
    Scheduler::Timer timer;
    std::optional<std::stop_callback<std::function<void()>>> on_cancel;
    bool woken = false;
    bool over = false;
    bool elapsed = false;
  };

  static void Arm(const std::shared_ptr<State>& state, std::coroutine_handle<> waiter) {
    state->waiter = waiter;
    if (state->woken) return End(state, /*elapsed=*/false);
    state->timer = state->scheduler.AddTimer(state->until, [state] { End(state, /*elapsed=*/true); });
    if (!state->cancelled.stop_possible()) return;
    // Runs on the thread that cancels, perhaps at once: only posts.
    state->on_cancel.emplace(state->cancelled, [state = std::weak_ptr(state)] {
      const auto live = state.lock();
      if (live == nullptr) return;
      live->scheduler.Post([live] { End(live, /*elapsed=*/false); });
    });
  }

  static void End(const std::shared_ptr<State>& state, bool elapsed) {
    if (std::exchange(state->over, true)) return;
    state->scheduler.CancelTimer(state->timer);
    state->on_cancel.reset();
    state->elapsed = elapsed;
    state->waiter.resume();
  }

  std::shared_ptr<State> state_;
};

}  // namespace lmbroker
