#pragma once

// The coroutine type of the data path: one coroutine per call, no thread waits. A Task starts when it is awaited (or
// Started) and resumes on whichever thread completes what it awaits.
//
// Rules for g++ 12, which miscompiles some forms otherwise: name a task, then await the name (no temporary with a
// destructor inside a co_await operand); no lambda that is a coroutine; parameters by value; one co_await a statement.

#include <coroutine>
#include <cstdlib>
#include <optional>
#include <utility>

namespace lmbroker {

template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type {  // NOLINT(readability-identifier-naming): the language's name
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct ResumeWaiter {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().waiter;
        }
        void await_resume() noexcept {}
      };
      return ResumeWaiter{};
    }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() noexcept { std::abort(); }  // our functions do not throw

    std::optional<T> value;
    std::coroutine_handle<> waiter = std::noop_coroutine();
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().waiter = waiter;
    return handle_;
  }
  T await_resume() {
    std::optional<T>& value = handle_.promise().value;
    if (!value.has_value()) std::abort();  // resumed before its end: a defect of whoever resumed it
    return *std::move(value);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace task_internal {

// A coroutine that nobody owns: runs at once and frees itself at its end.
struct Detached {
  struct promise_type {  // NOLINT(readability-identifier-naming): the language's name
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept { std::abort(); }
  };
};

template <class T, class Done>
Detached Run(Task<T> task, Done done) {
  T result = co_await task;
  done(std::move(result));
}

}  // namespace task_internal

// Starts `task` on this thread and calls `done(result)` once, on the thread on which it ends.
template <class T, class Done>
void Start(Task<T> task, Done done) {
  task_internal::Run(std::move(task), std::move(done));
}

}  // namespace lmbroker
