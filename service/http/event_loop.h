#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/descriptor.h"
#include "service/base/mutex.h"
#include "service/base/scheduler.h"

namespace lmbroker::http {

// One thread that waits on sockets, timers and posted work (epoll, eventfd). Whoever runs on it must not block.
class EventLoop final : public Scheduler {
 public:
  // Told of what its sockets are ready for. A call may be spurious: it may stem from a socket closed a moment ago whose
  // number is in use again. So look at the socket; do not trust the bits.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void OnEvents(int socket, std::uint32_t events) = 0;
  };

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create(const Clock& clock);
  // Runs what was posted, then joins. Timers that are not due are dropped.
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void Post(Work work) override;
  Timer AddTimer(absl::Duration when, Work expire) override;
  void CancelTimer(Timer timer) override;

  // Whether the caller runs on the loop's thread.
  bool OnThread() const { return std::this_thread::get_id() == thread_.get_id(); }

  // On the loop's thread only.

  // Starts or changes the watch of `socket` for epoll's `events`. `watcher` must live until Unwatch.
  void Watch(int socket, std::uint32_t events, Watcher& watcher);
  // Before the socket is closed.
  void Unwatch(int socket);

 private:
  EventLoop(const Clock& clock, Descriptor epoll, Descriptor wake);

  void Run();

  // One round: what is ready within `wait`, in epoll's milliseconds.
  void RunReady(int wait);
  void Dispatch(int socket, std::uint32_t events);
  void RunPosted();
  void RunDueTimers();
  // How long to wait; nothing when it is time to end.
  std::optional<int> PrepareWait();
  absl::Duration NextTimer() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WaitMilliseconds() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeLocked(absl::Duration until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteWake() const;

  const Clock& clock_;
  const Descriptor epoll_;
  const Descriptor wake_event_;
  std::unordered_map<int, Watcher*> watchers_;  // on the loop's thread only

  Mutex mutex_;
  std::vector<Work> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<Timer, Work> timers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the loop wakes by itself at the latest; the infinite past while it is awake.
  absl::Duration asleep_until_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it starts when all of the above is there
};

}  // namespace lmbroker::http
