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
//
// The loop may be lent: then another thread, which has an event source of its own to look after, runs the loop's turns
// between its other work, and counts as the loop's thread. The loop's own thread does nothing but wake it when it
// sleeps. So what both sources bring is worked on without handing anything from thread to thread.
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

  // Lends the loop; returns when its own thread runs no turn any more. `wake` is called, on that thread, when there is
  // something to do while the borrower sleeps; it must not block.
  void Lend(Work wake);
  // Takes it back, when the borrower runs no turn any more.
  void TakeBack();
  // For the borrower: does what can be done without waiting. False when there was nothing.
  bool Turn();
  // For the borrower, before it goes to sleep. False when there is something to do: then it must not.
  bool MaySleep();
  // For the borrower, after its sleep, whatever has ended it.
  void Awake();

  // On the loop's thread only.

  // Starts or changes the watch of `socket` for epoll's `events`. `watcher` must live until Unwatch.
  void Watch(int socket, std::uint32_t events, Watcher& watcher);
  // Before the socket is closed.
  void Unwatch(int socket);

 private:
  EventLoop(const Clock& clock, Descriptor epoll, Descriptor watch, Descriptor wake);

  void Run();
  // While the loop is lent, on its own thread: wakes the borrower when it sleeps and there is something to do.
  void WatchOverBorrower();
  std::optional<int> PrepareWatch();
  bool BorrowerIsWanted(bool called);
  void ArmWatch() const;

  // One round: what is ready within `wait`, in epoll's milliseconds. False when there was nothing.
  bool RunReady(int wait);
  void Dispatch(int socket, std::uint32_t events);
  bool RunPosted();
  bool RunDueTimers();
  // How long to wait; nothing when it is time to end.
  std::optional<int> PrepareWait();
  int PrepareSleep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration NextTimer() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WaitMilliseconds() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeLocked(absl::Duration until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteWake() const;

  const Clock& clock_;
  const Descriptor epoll_;
  const Descriptor watch_epoll_;  // watches epoll_ while the loop is lent
  const Descriptor wake_event_;
  std::unordered_map<int, Watcher*> watchers_;  // on the loop's thread only

  Mutex mutex_;
  std::vector<Work> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<Timer, Work> timers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the loop wakes by itself at the latest; the infinite past while it is awake.
  absl::Duration asleep_until_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  ConditionVariable lending_changed_;
  bool lent_ ABSL_GUARDED_BY(mutex_) = false;
  bool watching_ ABSL_GUARDED_BY(mutex_) = false;  // our own thread runs no turns
  bool sleeping_ ABSL_GUARDED_BY(mutex_) = false;  // the borrower does, and wants to be woken
  // When the watch looks again by itself.
  absl::Duration watch_until_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  Work wake_;  // changed only while nobody watches

  std::thread thread_;  // last: it starts when all of the above is there
};

}  // namespace lmbroker::http
