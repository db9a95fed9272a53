#include "service/portal/budget_table.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"

namespace lmbroker::portal {

// A call in a queue. What the scheduler's thread alone touches needs no lock.
struct BudgetWaiter {
  BudgetRow* row;                                         // stays where it is as long as somebody waits
  FairQueue<std::shared_ptr<BudgetWaiter>>::Place place;  // while it is not over
  std::size_t bytes;
  absl::Duration since;
  absl::Duration deadline;
  std::stop_token cancelled;
  BudgetTable::Done done;
  bool over = false;  // guarded by the table's mutex: out of the queue
  // On the scheduler's thread:
  Scheduler::Timer timer;
  std::optional<std::stop_callback<std::function<void()>>> on_cancel;
};

namespace {

constexpr int kTooManyRequests = 429;

// RetryInfo has no use for less than a millisecond, but must not be early.
absl::Duration RetryAfterWait(absl::Duration wait) { return absl::Ceil(wait, absl::Milliseconds(1)); }

absl::Status RefuseFor(Reason reason, std::string_view sentence, const BudgetRow& row, absl::Duration wait) {
  return Refuse(reason, sentence,
                {.metadata = {{"endpoint", fmt::format("{} {}", http::MethodName(row.method), Excerpt(row.pattern))},
                              {"limit", fmt::format("{}", row.budget.limit())},
                              {"window", fmt::format("{}s", absl::ToInt64Seconds(row.budget.window()))}},
                 .field = {},
                 .retry_after = RetryAfterWait(wait)});
}

absl::Status QueueIsFull(const BudgetRow& row, absl::Duration wait) {
  return RefuseFor(Reason::kBudgetExhausted,
                   "The portal's rate limit for this endpoint is used up, and as many calls wait for it as the broker "
                   "lets wait; repeat after the delay.",
                   row, wait);
}

absl::Status DeadlineTooShort(const BudgetRow& row, absl::Duration wait) {
  return RefuseFor(Reason::kDeadlineTooShort,
                   fmt::format("The portal's rate limit for this endpoint leaves room for the call in {} s, which is "
                               "after its deadline; allow more time, or repeat after the delay.",
                               absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1)))),
                   row, wait);
}

}  // namespace

BudgetTable::BudgetTable(const Parts& parts, PortalName portal, std::vector<ConfiguredBudget> configured,
                         const BudgetBounds& bounds)
    : parts_(parts), portal_(std::move(portal)), bounds_(bounds), rows_(std::move(configured), bounds.rows) {}

std::optional<absl::StatusOr<Permit>> BudgetTable::Acquire(const BudgetClaim& claim, Done done) {
  const MutexLock lock(mutex_);
  const absl::Duration now = parts_.clock.Monotonic();
  BudgetRow& row = rows_.Find(Endpoint::Of(claim.request));
  row.budget.Expire(now);
  // Reserved calls pass those who wait without being so.
  const bool is_first = row.queue.empty() || claim.priority < row.queue.first_priority();
  if (is_first && row.budget.HasRoom(claim.priority, now)) return Permit(*this, row, row.budget.Take());
  absl::Status refusal = Enqueue(row, claim, now, std::move(done));
  if (refusal.ok()) return std::nullopt;
  parts_.metrics.BudgetRefused(portal_.id());
  return refusal;
}

absl::Status BudgetTable::CheckPlace(const BudgetRow& row, const BudgetClaim& claim, absl::Duration turn,
                                     absl::Duration now) const {
  const absl::Duration wait = turn - now;
  const bool is_full = row.queue.size() >= bounds_.waiting;
  const bool is_out = is_full && row.queue.WouldBeLast(claim.caller, claim.weight, claim.priority);
  if (is_out || waiting_bytes_ + claim.request.body().size() > bounds_.waiting_bytes) return QueueIsFull(row, wait);
  if (wait > std::min(bounds_.longest_wait, claim.longest_wait)) {
    return RefuseFor(Reason::kBudgetExhausted,
                     "The portal's rate limit for this endpoint is used up for longer than the broker lets a call "
                     "wait; repeat after the delay.",
                     row, wait);
  }
  if (turn < claim.deadline) return absl::OkStatus();
  return DeadlineTooShort(row, wait);
}

absl::Status BudgetTable::Enqueue(BudgetRow& row, const BudgetClaim& claim, absl::Duration now, Done done) {
  const std::size_t ahead = row.queue.Ahead(claim.caller, claim.weight, claim.priority);
  const absl::Duration turn = row.budget.RoomAt(static_cast<int>(ahead), claim.priority, now);
  if (absl::Status refusal = CheckPlace(row, claim, turn, now); !refusal.ok()) return refusal;
  if (row.queue.size() >= bounds_.waiting) EvictLast(row, now);
  Waiter waiter(new BudgetWaiter{.row = &row,
                                 .place = {},
                                 .bytes = claim.request.body().size(),
                                 .since = now,
                                 .deadline = claim.deadline,
                                 .cancelled = claim.cancelled,
                                 .done = std::move(done),
                                 .over = false,
                                 .timer = {},
                                 .on_cancel = {}});
  waiting_bytes_ += waiter->bytes;
  waiting_rows_.insert(&row);
  waiter->place = row.queue.Push(claim.caller, claim.weight, claim.priority, waiter);
  Wake(row, now);
  parts_.scheduler.Post([table = weak_from_this(), waiter = std::move(waiter)] {
    if (const auto live = table.lock()) live->Arm(waiter);
  });
  return absl::OkStatus();
}

// Those stay whose turn comes first. So a caller who fills the queue takes no place from one who asks for little.
void BudgetTable::EvictLast(BudgetRow& row, absl::Duration now) {
  const absl::Duration wait = row.budget.RoomAt(static_cast<int>(row.queue.size()), Priority::kNormal, now) - now;
  Waiter last = row.queue.PopLast();
  Leave(*last);
  PostRefusal(std::move(last), QueueIsFull(row, wait));
}

void BudgetTable::RefuseHopeless(BudgetRow& row, absl::Duration now) {
  int ahead = 0;
  std::vector<std::pair<Waiter, absl::Duration>> hopeless;  // and when it would be their turn
  row.queue.EraseIf([&](Priority priority, const Waiter& waiter) {
    const absl::Duration turn = row.budget.RoomAt(ahead, priority, now);
    if (turn < waiter->deadline) {
      ++ahead;
      return false;
    }
    hopeless.emplace_back(waiter, turn);
    return true;
  });
  for (const auto& [waiter, turn] : hopeless) {
    PostRefusal(waiter, DeadlineTooShort(row, turn - now));
    Leave(*waiter);
  }
}

void BudgetTable::PostRefusal(Waiter waiter, absl::Status refusal) {
  parts_.metrics.BudgetRefused(portal_.id());
  parts_.scheduler.Post([table = weak_from_this(), waiter = std::move(waiter), refusal = std::move(refusal)] {
    if (const auto live = table.lock()) live->Finish(*waiter, refusal);
  });
}

void BudgetTable::Leave(BudgetWaiter& waiter) {
  waiter.over = true;
  waiting_bytes_ -= waiter.bytes;
  if (waiter.row->queue.empty()) waiting_rows_.erase(waiter.row);
}

void BudgetTable::Wake(const BudgetRow& row, absl::Duration now) {
  if (row.queue.empty()) return;
  const absl::Duration when = row.budget.RoomAt(0, row.queue.first_priority(), now);
  if (when >= timer_.when) return;
  parts_.scheduler.CancelTimer(timer_);
  timer_ = parts_.scheduler.AddTimer(when, [table = weak_from_this()] {
    if (const auto live = table.lock()) live->Serve();
  });
}

void BudgetTable::Serve() {
  std::vector<std::pair<Waiter, Permit>> served;
  absl::Duration now;
  {
    const MutexLock lock(mutex_);
    now = parts_.clock.Monotonic();
    parts_.scheduler.CancelTimer(timer_);  // one that was set while this one was on its way
    timer_ = {};
    const std::vector<BudgetRow*> rows(waiting_rows_.begin(), waiting_rows_.end());
    for (BudgetRow* row : rows) {
      row->budget.Expire(now);
      while (!row->queue.empty() && row->budget.HasRoom(row->queue.first_priority(), now)) {
        Waiter first = row->queue.PopFirst();
        Leave(*first);
        served.emplace_back(std::move(first), Permit(*this, *row, row->budget.Take()));
      }
      Wake(*row, now);
    }
  }
  for (auto& [waiter, permit] : served) {
    parts_.metrics.BudgetWaited(portal_.id(), now - waiter->since);
    Finish(*waiter, std::move(permit));
  }
}

void BudgetTable::Arm(const Waiter& waiter) {
  {
    const MutexLock lock(mutex_);
    if (waiter->over) return;
  }
  waiter->timer = parts_.scheduler.AddTimer(waiter->deadline, [table = weak_from_this(), waiter] {
    if (const auto live = table.lock()) {
      live->GiveUp(waiter, Refuse(Reason::kDeadline,
                                  "The deadline ended while the call waited for the portal's rate limit, so it was not "
                                  "sent; allow more time."));
    }
  });
  if (!waiter->cancelled.stop_possible()) return;
  // Runs on the thread that cancels, perhaps at once: only posts.
  waiter->on_cancel.emplace(waiter->cancelled, [table = weak_from_this(), weak = std::weak_ptr(waiter)] {
    const auto live = table.lock();
    auto still = weak.lock();
    if (live == nullptr || still == nullptr) return;
    live->parts_.scheduler.Post([table, still = std::move(still)] {
      if (const auto alive = table.lock()) alive->GiveUp(still, Cancelled());
    });
  });
}

void BudgetTable::GiveUp(const Waiter& waiter, absl::Status why) {
  {
    const MutexLock lock(mutex_);
    if (waiter->over) return;
    waiter->row->queue.Erase(waiter->place);
    Leave(*waiter);
  }
  parts_.metrics.BudgetRefused(portal_.id());
  Finish(*waiter, std::move(why));
}

void BudgetTable::Finish(BudgetWaiter& waiter, absl::StatusOr<Permit> result) {
  parts_.scheduler.CancelTimer(waiter.timer);
  waiter.on_cancel.reset();
  Done done = std::move(waiter.done);
  done(std::move(result));
}

void BudgetTable::Return(BudgetRow& row) {
  const MutexLock lock(mutex_);
  row.budget.Return();
  Wake(row, parts_.clock.Monotonic());
}

void BudgetTable::Lost(BudgetRow& row) {
  const MutexLock lock(mutex_);
  const absl::Duration now = parts_.clock.Monotonic();
  row.budget.Settle(now);
  Wake(row, now);
}

std::optional<RateLimit> BudgetTable::Answered(BudgetRow& row, std::int64_t taken, int http_status,
                                               const std::vector<http::NameValue>& headers) {
  const std::optional<RateLimit> said = ParseRateLimit(headers);
  const MutexLock lock(mutex_);
  const absl::Duration now = parts_.clock.Monotonic();
  row.budget.Settle(now);
  bool is_news = false;
  if (http_status == kTooManyRequests) {
    row.budget.Block(now + RetryAfter(headers));
    is_news = true;
  } else if (said.has_value()) {
    is_news = row.budget.Learn(taken, *said, now);
  }
  if (is_news) RefuseHopeless(row, now);
  Wake(row, now);
  return said;
}

std::vector<BudgetState> BudgetTable::States() const {
  std::vector<BudgetState> states;
  {
    const MutexLock lock(mutex_);
    const absl::Duration now = parts_.clock.Monotonic();
    states.reserve(rows_.all().size());
    for (const BudgetRow& row : rows_.all()) {
      Budget budget = row.budget;
      budget.Expire(now);
      states.push_back(
          {.api = row.api,
           .method = row.method,
           .pattern = row.pattern,
           .budget = {.limit = budget.limit(), .remaining = budget.remaining(now), .window = budget.window()},
           .waiting = row.queue.size()});
    }
  }
  std::sort(states.begin(), states.end(), [](const BudgetState& a, const BudgetState& b) {
    return std::tie(a.api, a.pattern, a.method) < std::tie(b.api, b.pattern, b.method);
  });
  return states;
}

std::optional<RateLimit> Permit::End(const http::TransferResult& result) {
  if (result.response.ok()) return Answered(result.response->status, result.response->headers);
  if (result.delivery == http::Delivery::kNotSent) Return();
  Lost();
  return std::nullopt;
}

void Permit::Return() {
  if (BudgetTable* table = std::exchange(table_, nullptr)) table->Return(*row_);
}

void Permit::Lost() {
  if (BudgetTable* table = std::exchange(table_, nullptr)) table->Lost(*row_);
}

std::optional<RateLimit> Permit::Answered(int http_status, const std::vector<http::NameValue>& headers) {
  BudgetTable* table = std::exchange(table_, nullptr);
  return table != nullptr ? table->Answered(*row_, taken_, http_status, headers) : ParseRateLimit(headers);
}

}  // namespace lmbroker::portal
