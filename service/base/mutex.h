#pragma once

// std::mutex with Clang's thread-safety annotations. std rather than absl::Mutex because ThreadSanitizer does not
// understand the latter when Abseil is a prebuilt library. clang-tidy checks the annotations (-Wthread-safety).

#include <condition_variable>
#include <mutex>

#include <absl/base/thread_annotations.h>

namespace lmbroker {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with a Mutex held by the caller: `while (!condition) cv.wait(mutex);`
using ConditionVariable = std::condition_variable_any;

}  // namespace lmbroker
