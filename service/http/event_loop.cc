#include "service/http/event_loop.h"

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

bool Add(const Descriptor& epoll, const Descriptor& watched, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = watched.get();
  return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, watched.get(), &event) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create(const Clock& clock) {
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  // Each write to it is an edge of its own: nobody needs to read it empty.
  if (!Add(epoll, wake, EPOLLIN | EPOLLET)) return SystemError("eventfd");
  return std::unique_ptr<EventLoop>(new EventLoop(clock, std::move(epoll), std::move(wake)));
}

EventLoop::EventLoop(const Clock& clock, Descriptor epoll, Descriptor wake)
    : clock_(clock), epoll_(std::move(epoll)), wake_event_(std::move(wake)), thread_([this] { Run(); }) {}

EventLoop::~EventLoop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    WakeLocked(-absl::InfiniteDuration());
  }
  thread_.join();
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
  [[maybe_unused]] const ssize_t written = write(wake_event_.get(), &one, sizeof one);
}

void EventLoop::Watch(int socket, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  const bool added = watchers_.insert_or_assign(socket, &watcher).second;
  // Fails for a live socket only when the kernel is out of memory for it, and then nothing would ever end.
  if (epoll_ctl(epoll_.get(), added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) != 0) std::abort();
}

void EventLoop::Unwatch(int socket) {
  if (watchers_.erase(socket) > 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
}

void EventLoop::Run() {
  while (true) {
    const std::optional<int> wait = PrepareWait();
    if (!wait.has_value()) return;
    RunReady(*wait);
  }
}

std::optional<int> EventLoop::PrepareWait() {
  const MutexLock lock(mutex_);
  if (!posted_.empty()) return 0;
  if (stopping_) return std::nullopt;
  asleep_until_ = NextTimer();
  return WaitMilliseconds();
}

absl::Duration EventLoop::NextTimer() const {
  return timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first.when;
}

// In epoll's milliseconds, rounded up.
int EventLoop::WaitMilliseconds() const {
  const absl::Duration wait = std::clamp(NextTimer() - clock_.Monotonic(), absl::ZeroDuration(), kLongestWait);
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

void EventLoop::RunReady(int wait) {
  std::array<epoll_event, 256> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): epoll_wait fills it
  const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait);
  {
    const MutexLock lock(mutex_);
    asleep_until_ = -absl::InfiniteDuration();
  }
  for (int i = 0; i < ready; ++i) {
    Dispatch(events[static_cast<std::size_t>(i)].data.fd, events[static_cast<std::size_t>(i)].events);
  }
  RunPosted();
  RunDueTimers();
}

void EventLoop::Dispatch(int socket, std::uint32_t events) {
  const auto found = watchers_.find(socket);  // gone when an earlier event of this round closed it
  if (found != watchers_.end()) found->second->OnEvents(socket, events);
}

void EventLoop::RunPosted() {
  std::vector<Work> posted;
  {
    const MutexLock lock(mutex_);
    posted.swap(posted_);
  }
  for (Work& work : posted) work();
}

void EventLoop::RunDueTimers() {
  const absl::Duration now = clock_.Monotonic();
  while (true) {
    Work expire;
    {
      const MutexLock lock(mutex_);
      if (timers_.empty() || timers_.begin()->first.when > now) return;
      expire = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    expire();
  }
}

}  // namespace lmbroker::http
