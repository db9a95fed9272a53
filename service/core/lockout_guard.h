#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/base/names.h"

namespace lmbroker::core {

// Keeps one key that a portal refuses from being locked there (logicmonitor-api, section 9) and from drowning it. After
// 3 consecutive 401s the key is quarantined: one call, the canary, may try it after 5 s, then after twice as long each
// time, up to 5 minutes; what the portal does not refuse heals it. While it is not known whether the portal takes the
// key, no more calls are under way than would make 3. One of these per key; safe for concurrent use. Times are
// Clock::Monotonic.
class LockoutGuard {
 public:
  enum class Verdict { kTaken, kRefused, kNothing };  // any answer but 401; 401; no answer
  enum class Change { kNone, kQuarantined, kHealed };

  // The right to use the key once. Whoever has one says what the portal made of the key. Move-only; must not outlive
  // its guard.
  class [[nodiscard]] Pass {
   public:
    Pass(Pass&& other) noexcept : guard_(std::exchange(other.guard_, nullptr)), canary_(other.canary_) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(guard_, other.guard_);
      std::swap(canary_, other.canary_);
      return *this;
    }
    ~Pass() { (void)End(Verdict::kNothing, absl::ZeroDuration()); }

    Change End(Verdict verdict, absl::Duration now);

   private:
    friend class LockoutGuard;
    Pass(LockoutGuard& guard, bool canary) : guard_(&guard), canary_(canary) {}

    LockoutGuard* guard_;  // null once it is said
    bool canary_;
  };
  using Waker = std::function<void()>;

  explicit LockoutGuard(CredentialName name) : name_(std::move(name)) {}

  // CREDENTIAL_QUARANTINED when a call that comes now would be refused.
  absl::Status Check(absl::Duration now) const;
  // A pass or CREDENTIAL_QUARANTINED. Nothing when the call must wait for what others come to; then `waker`, unless
  // null, is called once when it is worth to ask again, on whichever thread; whoever gives up before says so.
  std::optional<absl::StatusOr<Pass>> Admit(absl::Duration now, Waker waker, const void* who = nullptr);
  // Forgets the waker of `who`, so that those who came and gave up do not pile up behind calls that take long.
  void GiveUp(const void* who);
  // For a probe: goes whatever the state, and counts like any other call.
  Pass Insist();
  // An operator says that it is good.
  void Heal();

  bool quarantined() const;

 private:
  struct Waiter {
    const void* who;
    Waker wake;
  };

  absl::Status CheckLocked(absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Change Judge(bool canary, Verdict verdict, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool quarantined_locked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CredentialName name_;
  mutable Mutex mutex_;
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;    // consecutive 401s
  bool taken_ ABSL_GUARDED_BY(mutex_) = false;  // the portal's last word was no 401
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;   // passes out
  bool canary_out_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration step_ ABSL_GUARDED_BY(mutex_);  // between canaries
  absl::Duration canary_at_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiter> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::core
