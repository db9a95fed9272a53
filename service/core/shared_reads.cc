#include "service/core/shared_reads.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "service/base/error.h"
#include "service/core/read_key.h"
#include "service/http/method.h"

namespace lmbroker::core {
namespace {

// What a call gets at least, however soon the reader's time is up for whom it was begun: others may have joined.
constexpr absl::Duration kLeastTime = absl::Seconds(30);

absl::Status TimeIsUp() {
  return Refuse(Reason::kDeadline,
                "The deadline of the call ended before the portal's answer to the shared read came; allow more time.");
}

}  // namespace

// A reader that waits. What the scheduler's thread alone touches needs no lock.
struct SharedReads::Waiter {
  const std::shared_ptr<Read> read;
  const absl::Duration deadline;
  const std::stop_token cancelled;
  std::coroutine_handle<> coroutine;
  absl::Status left;
  bool over = false;
  Scheduler::Timer timer;
  std::optional<std::stop_callback<std::function<void()>>> on_cancel;
};

SharedReads::Found SharedReads::Find(const Wish& wish) {
  const MutexLock lock(mutex_);
  const absl::Duration now = parts_.clock.Monotonic();
  if (!wish.fresh) {
    if (auto kept = kept_.Find(wish.key, now); kept.has_value()) {
      parts_.metrics.ReadServedFromMemory(wish.portal.id());
      return {.kept = std::move(kept)};
    }
    if (const auto open = open_.find(wish.key); open != open_.end()) {
      parts_.metrics.ReadJoined(wish.portal.id());
      ++open->second->readers_;
      return {.kept = {}, .read = open->second};
    }
  }
  std::shared_ptr<Read> read(new Read(wish, std::max(wish.deadline, now + kLeastTime)));
  open_[wish.key] = read;  // in place of an older one, whose readers still get its answer
  return {.kept = {}, .read = std::move(read), .begun = true};
}

void SharedReads::End(const std::shared_ptr<Read>& read, Answer answer, bool keep) {
  const auto shared = std::make_shared<const Answer>(std::move(answer));
  std::vector<std::shared_ptr<Waiter>> waiting;
  {
    const MutexLock lock(mutex_);
    read->answer_ = shared;
    read->end_ = parts_.clock.Monotonic();
    waiting.swap(read->waiting_);
    if (IsOpen(*read)) {
      open_.erase(read->key_);
      if (keep && shared->reply.ok()) {
        kept_.Put(read->key_, {shared, &*shared->reply}, read->end_, read->share_);
      }
    }
  }
  // Each for itself: there may be many, with long replies, and others have calls on that thread, too.
  for (std::shared_ptr<Waiter>& waiter : waiting) {
    parts_.scheduler.Post([this, waiter = std::move(waiter)] { Finish(*waiter); });
  }
}

bool SharedReads::IsOpen(const Read& read) const {
  const auto open = open_.find(read.key_);
  return open != open_.end() && open->second.get() == &read;
}

void SharedReads::ForgetUnderWrite(const std::string& resource) {
  const MutexLock lock(mutex_);
  kept_.DropUnderWrite(resource);
  EraseUnderWrite(open_, resource);
}

void SharedReads::Arm(const std::shared_ptr<Waiter>& waiter) {
  bool has_ended = false;
  {
    const MutexLock lock(mutex_);
    has_ended = waiter->read->answer_ != nullptr;
    if (!has_ended) waiter->read->waiting_.push_back(waiter);
  }
  if (has_ended) return Finish(*waiter);
  waiter->timer = parts_.scheduler.AddTimer(waiter->deadline, [this, waiter] { Leave(waiter, TimeIsUp()); });
  if (!waiter->cancelled.stop_possible()) return;
  // Runs on the thread that cancels, perhaps at once: only posts.
  waiter->on_cancel.emplace(waiter->cancelled, [this, weak = std::weak_ptr(waiter)] {
    const auto live = weak.lock();
    if (live == nullptr) return;
    parts_.scheduler.Post([this, live] { Leave(live, Cancelled()); });
  });
}

void SharedReads::Leave(const std::shared_ptr<Waiter>& waiter, absl::Status why) {
  if (waiter->over || !waiter->left.ok()) return;
  Read& read = *waiter->read;
  bool is_last = false;
  {
    const MutexLock lock(mutex_);
    if (read.answer_ != nullptr) return;  // it will be told of that in a moment
    is_last = --read.readers_ == 0;
    if (!is_last) std::erase(read.waiting_, waiter);
    if (is_last && IsOpen(read)) open_.erase(read.key_);
  }
  waiter->left = std::move(why);
  if (!is_last) return Finish(*waiter);
  read.stop_.request_stop();  // may end the call at once
}

void SharedReads::Finish(Waiter& waiter) {
  if (std::exchange(waiter.over, true)) return;
  parts_.scheduler.CancelTimer(waiter.timer);
  waiter.on_cancel.reset();
  waiter.coroutine.resume();
}

SharedReads::Wait::Wait(SharedReads& reads, std::shared_ptr<Read> read, absl::Duration deadline,
                        std::stop_token cancelled)
    : reads_(reads),
      waiter_(new Waiter{.read = std::move(read),
                         .deadline = deadline,
                         .cancelled = std::move(cancelled),
                         .coroutine = {},
                         .left = {},
                         .over = false,
                         .timer = {},
                         .on_cancel = {}}) {}

bool SharedReads::Wait::await_suspend(std::coroutine_handle<> waiter) {
  {
    const MutexLock lock(reads_.mutex_);
    if (waiter_->read->answer_ != nullptr) return false;
  }
  waiter_->coroutine = waiter;
  // `this` lives in the waiter's frame, which may be gone as soon as it is armed: touch nothing after Post.
  reads_.parts_.scheduler.Post([&reads = reads_, state = waiter_] { reads.Arm(state); });
  return true;
}

SharedReads::Ending SharedReads::Wait::await_resume() const {
  const MutexLock lock(reads_.mutex_);
  const Read& read = *waiter_->read;
  Ending ending{.left = waiter_->left, .answer = read.answer_, .age = absl::ZeroDuration()};
  if (read.answer_ != nullptr) ending.age = reads_.parts_.clock.Monotonic() - read.end_;
  return ending;
}

SharedReads::Write::Write(SharedReads& reads, const PortalName& portal, const http::CanonicalRequest& request)
    : reads_(reads), resource_(request.method() == http::Method::kGet ? "" : ResourceOf(portal, request)) {
  if (!resource_.empty()) reads_.ForgetUnderWrite(resource_);
}

void SharedReads::Write::End() {
  const std::string resource = std::exchange(resource_, {});
  if (!resource.empty()) reads_.ForgetUnderWrite(resource);
}

}  // namespace lmbroker::core
