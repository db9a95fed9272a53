#include "service/http/event_loop.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace lmbroker::http {
namespace {

// Bounds one sleep, so that a clock that a test moves by hand is looked at again.
constexpr absl::Duration kLongestWait = absl::Seconds(1);

absl::Status SystemError(std::string_view what) {
  return absl::InternalError(fmt::format("{}: {}", what, std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create(const Clock& clock) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return SystemError("epoll_create1");
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // each write to it is an edge of its own: nobody needs to read it empty
  event.data.fd = wake;
  if (wake < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) != 0) {
    absl::Status status = SystemError("eventfd");
    if (wake >= 0) close(wake);
    close(epoll);
    return status;
  }
  return std::unique_ptr<EventLoop>(new EventLoop(clock, epoll, wake));
}

EventLoop::EventLoop(const Clock& clock, int epoll, int wake)
    : clock_(clock), epoll_(epoll), wake_event_(wake), thread_([this] { Run(); }) {}

EventLoop::~EventLoop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    WakeLocked(-absl::InfiniteDuration());
  }
  thread_.join();
  close(wake_event_);
  close(epoll_);
}

void EventLoop::Post(Work work) {
  const MutexLock lock(mutex_);
  posted_.push_back(std::move(work));
  WakeLocked(-absl::InfiniteDuration());
}

EventLoop::Timer EventLoop::AddTimer(absl::Duration when, Work expire) {
  const MutexLock lock(mutex_);
  const Timer timer{.when = when, .number = ++last_timer_};
  timers_.emplace(timer, std::move(expire));
  WakeLocked(when);
  return timer;
}

void EventLoop::CancelTimer(Timer timer) {
  Work dropped;  // destroyed outside the lock: it may own anything
  const MutexLock lock(mutex_);
  if (const auto found = timers_.find(timer); found != timers_.end()) {
    dropped = std::move(found->second);
    timers_.erase(found);
  }
}

void EventLoop::WakeLocked(absl::Duration until) {
  if (until >= asleep_until_) return;
  asleep_until_ = until;
  WriteWake();
}

void EventLoop::WriteWake() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is about to wake anyway.
  [[maybe_unused]] const ssize_t written = write(wake_event_, &one, sizeof one);
}

void EventLoop::Watch(int socket, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  const bool added = watchers_.insert_or_assign(socket, &watcher).second;
  // Fails for a live socket only when the kernel is out of memory for it, and then nothing would ever end.
  if (epoll_ctl(epoll_, added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) != 0) std::abort();
}

void EventLoop::Unwatch(int socket) {
  if (watchers_.erase(socket) > 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
}

void EventLoop::Run() {
  while (true) {
    WatchOverBorrower();
    const std::optional<int> wait = PrepareWait();
    if (!wait.has_value()) return;
    RunReady(*wait);
  }
}

std::optional<int> EventLoop::PrepareWait() {
  const MutexLock lock(mutex_);
  if (!posted_.empty() || lent_) return 0;
  if (stopping_) return std::nullopt;
  return PrepareSleep();
}

int EventLoop::PrepareSleep() {
  asleep_until_ = timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first.when;
  const absl::Duration wait = std::clamp(asleep_until_ - clock_.Monotonic(), absl::ZeroDuration(), kLongestWait);
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

bool EventLoop::RunReady(int wait) {
  std::array<epoll_event, 256> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): epoll_wait fills it
  const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
  {
    const MutexLock lock(mutex_);
    asleep_until_ = -absl::InfiniteDuration();
    sleeping_ = false;
  }
  for (int i = 0; i < ready; ++i) {
    Dispatch(events[static_cast<std::size_t>(i)].data.fd, events[static_cast<std::size_t>(i)].events);
  }
  const bool ran_posted = RunPosted();
  const bool ran_timer = RunDueTimers();
  return ready > 0 || ran_posted || ran_timer;
}

void EventLoop::Lend(Work wake) {
  const MutexLock lock(mutex_);
  wake_ = std::move(wake);
  lent_ = true;
  WakeLocked(-absl::InfiniteDuration());
  while (!watching_) lending_changed_.wait(mutex_);
}

void EventLoop::TakeBack() {
  const MutexLock lock(mutex_);
  lent_ = false;
  lending_changed_.notify_all();
  WriteWake();
  while (watching_) lending_changed_.wait(mutex_);
}

bool EventLoop::Turn() { return RunReady(0); }

bool EventLoop::MaySleep() {
  const MutexLock lock(mutex_);
  if (!posted_.empty() || PrepareSleep() == 0) {
    asleep_until_ = -absl::InfiniteDuration();
    return false;
  }
  sleeping_ = true;
  if (watch_until_ == -absl::InfiniteDuration()) {
    lending_changed_.notify_all();
  } else if (asleep_until_ < watch_until_) {
    WriteWake();
  }
  return true;
}

void EventLoop::WatchOverBorrower() {
  while (AwaitBorrowersSleep()) WakeBorrower();
}

// Until the borrower has slept and there is something to do. False when the loop is not lent (any more).
bool EventLoop::AwaitBorrowersSleep() {
  int wait = 0;
  {
    const MutexLock lock(mutex_);
    watching_ = lent_;
    lending_changed_.notify_all();
    while (lent_ && !sleeping_) lending_changed_.wait(mutex_);
    if (!lent_) {
      watching_ = false;
      lending_changed_.notify_all();
      return false;
    }
    wait = PrepareSleep();
    watch_until_ = std::min(asleep_until_, clock_.Monotonic() + kLongestWait);
  }
  pollfd ready{.fd = epoll_, .events = POLLIN, .revents = 0};
  poll(&ready, 1, wait);
  return true;
}

// When it sleeps still, and there is something to do.
void EventLoop::WakeBorrower() {
  bool wanted = false;
  {
    const MutexLock lock(mutex_);
    watch_until_ = -absl::InfiniteDuration();
    wanted = std::exchange(sleeping_, false) && lent_;
  }
  if (wanted) wake_();
}

void EventLoop::Dispatch(int socket, std::uint32_t events) {
  const auto found = watchers_.find(socket);  // gone when an earlier event of this round closed it
  if (found != watchers_.end()) found->second->OnEvents(socket, events);
}

bool EventLoop::RunPosted() {
  std::vector<Work> posted;
  {
    const MutexLock lock(mutex_);
    posted.swap(posted_);
  }
  for (Work& work : posted) work();
  return !posted.empty();
}

bool EventLoop::RunDueTimers() {
  bool ran = false;
  const absl::Duration now = clock_.Monotonic();
  while (true) {
    Work expire;
    {
      const MutexLock lock(mutex_);
      if (timers_.empty() || timers_.begin()->first.when > now) return ran;
      expire = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    expire();
    ran = true;
  }
}

}  // namespace lmbroker::http
