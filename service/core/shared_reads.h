#pragma once

// Reads that share one call to a portal, and replies that are kept for the reads to come. A read is a call of its own
// to the policy, the audit and the caller's limits; what is shared is the way to the portal.

#include <coroutine>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/scheduler.h"
#include "service/core/forward_reply.h"
#include "service/core/kept_replies.h"
#include "service/http/request.h"

namespace lmbroker::core {

// The promise: no read is given an answer that the portal was asked for before a write of ours began or ended that may
// concern it (EraseUnderWrite) and began or ended before the read. Safe for concurrent use. The parts must outlive it;
// it must outlive its reads, waits and writes.
class SharedReads {
 public:
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;
    Metrics& metrics;
  };

  class Read;   // one call to a portal, on its way as long as somebody waits for it
  class Wait;   // for its end
  class Write;  // of ours, on its way to a portal

  // What a reader wants.
  struct Wish {
    const std::string& key;  // read_key.h
    const PortalName& portal;
    absl::Duration share;     // for how long the reply may be kept
    absl::Duration deadline;  // of the reader, on Clock::Monotonic
    bool fresh = false;       // neither a kept reply nor one that was asked for before
  };
  // A kept reply; or a call in flight, which the reader must await now.
  struct Found {
    std::optional<KeptReplies::Kept> kept;
    std::shared_ptr<Read> read;
    bool begun = false;  // for this reader, who must send the call and see to it that End is told, once
  };
  // What a wait came to.
  struct Ending {
    absl::Status left;                     // DEADLINE of the reader or CANCELLED by it; OK when it waited for the end
    std::shared_ptr<const Answer> answer;  // null when the reader left others behind
    absl::Duration age;                    // of the answer
  };

  explicit SharedReads(const Parts& parts, const KeptReplies::Bounds& bounds = {}) : parts_(parts), kept_(bounds) {}

  Found Find(const Wish& wish);
  // The call has ended: everyone who waits is told, on the scheduler's thread. With `keep`, its reply serves the reads
  // to come, unless a write or a later call has overtaken it.
  void End(const std::shared_ptr<Read>& read, Answer answer, bool keep);

 private:
  struct Waiter;

  void ForgetUnderWrite(const std::string& resource);
  // Whether others may still join the call.
  bool IsOpen(const Read& read) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // On the scheduler's thread.
  void Arm(const std::shared_ptr<Waiter>& waiter);
  void Leave(const std::shared_ptr<Waiter>& waiter, absl::Status why);
  void Finish(Waiter& waiter);

  const Parts parts_;
  mutable Mutex mutex_;
  KeptReplies kept_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Read>, std::less<>> open_ ABSL_GUARDED_BY(mutex_);  // calls that may be joined
};

class SharedReads::Read {
 public:
  // Requested when the last of those who waited leaves.
  std::stop_token cancelled() const { return stop_.get_token(); }
  // Until when it may take, on Clock::Monotonic. Not before that of the reader for whom it was begun, and with time for
  // those who come later.
  absl::Duration deadline() const { return deadline_; }

 private:
  friend class SharedReads;
  Read(const Wish& wish, absl::Duration deadline) : key_(wish.key), share_(wish.share), deadline_(deadline) {}

  const std::string key_;
  const absl::Duration share_;
  const absl::Duration deadline_;
  std::stop_source stop_;
  // Guarded by the mutex of its SharedReads:
  std::size_t readers_ = 1;  // those who have not left
  std::vector<std::shared_ptr<Waiter>> waiting_;
  std::shared_ptr<const Answer> answer_;  // null until the end
  absl::Duration end_;
};

// `SharedReads::Wait wait(reads, found.read, deadline, cancelled); SharedReads::Ending ending = co_await wait;`. Goes
// on on the scheduler's thread, or at once when the call has ended. Who leaves as the last one, cancels the call and
// waits for its end all the same: so no call outlives its readers.
class [[nodiscard]] SharedReads::Wait {
 public:
  Wait(SharedReads& reads, std::shared_ptr<Read> read, absl::Duration deadline, std::stop_token cancelled);

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter);
  Ending await_resume() const;

 private:
  SharedReads& reads_;
  const std::shared_ptr<Waiter> waiter_;
};

// For as long as a request that may change something is under way. Does nothing for a GET.
class [[nodiscard]] SharedReads::Write {
 public:
  Write(SharedReads& reads, const PortalName& portal, const http::CanonicalRequest& request);
  ~Write() { End(); }
  Write(const Write&) = delete;
  Write& operator=(const Write&) = delete;

  // Its answer is there, or will never be. Before anybody is told of it.
  void End();

 private:
  SharedReads& reads_;
  std::string resource_;  // empty: there is nothing to do
};

}  // namespace lmbroker::core
