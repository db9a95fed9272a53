#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "service/audit/intent_durable.h"
#include "service/audit/record.h"
#include "service/base/error.h"
#include "service/core/call_description.h"
#include "service/core/forwarder.h"
#include "service/core/lost_answer.h"
#include "service/http/transfer.h"
#include "service/portal/budget_acquire.h"
#include "service/portal/scrub.h"

namespace lmbroker::core {
namespace {

// What goes into one message: well below the 4 MiB that gRPC's clients take by default.
constexpr std::size_t kMostChunk = std::size_t{1} << 20;
// What is scrubbed at a time: compressed bytes may become a thousand times as many.
constexpr std::size_t kMostScrubbed = std::size_t{4} << 10;

// A wait for room behind a part: `Handed handed(sink, std::move(part)); const bool there = co_await handed;`.
template <class Part>
class [[nodiscard]] Handed {
 public:
  Handed(ReplySink& sink, Part part) : sink_(sink), part_(std::move(part)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    auto done = [this, waiter](bool there) {
      there_ = there;
      waiter.resume();
    };
    if constexpr (std::is_same_v<Part, std::string>) {
      sink_.Chunk(std::move(part_), done);
    } else {
      sink_.Head(std::move(part_), done);
    }
  }
  bool await_resume() const noexcept { return there_; }

 private:
  ReplySink& sink_;
  Part part_;
  bool there_ = false;
};

// Hands on what is scrubbed, in messages that a client takes; false when the caller has left.
Task<bool> HandOn(std::string* clean, ReplySink* sink) {
  while (!clean->empty()) {
    std::string chunk = std::exchange(*clean, {});
    if (chunk.size() > kMostChunk) {
      *clean = chunk.substr(kMostChunk);
      chunk.resize(kMostChunk);
    }
    Handed<std::string> handed(*sink, std::move(chunk));
    const bool there = co_await handed;
    if (!there) co_return false;
  }
  co_return true;
}

// The body, up to its end or to what cuts it.
Task<absl::Status> HandOnBody(http::Response* response, portal::Scrubber* scrubber, ReplySink* sink) {
  std::string piece = std::move(response->body);
  std::string clean;
  bool last = response->rest == nullptr;
  while (true) {
    for (std::string_view left = piece; !left.empty(); left.remove_prefix(std::min(left.size(), kMostScrubbed))) {
      const absl::Status scrubbed = scrubber->Feed(left.substr(0, kMostScrubbed), clean);
      if (!scrubbed.ok()) co_return scrubbed;
      if (clean.size() < kMostChunk) continue;
      auto handing_on = HandOn(&clean, sink);
      const bool there = co_await handing_on;
      if (!there) co_return Cancelled();
    }
    if (last) {
      const absl::Status finished = scrubber->Finish(clean);
      if (!finished.ok()) co_return finished;
    }
    auto handing_on = HandOn(&clean, sink);
    const bool there = co_await handing_on;
    if (!there) co_return Cancelled();
    if (last) co_return absl::OkStatus();
    http::NextPiece next(*response->rest);
    absl::StatusOr<std::string> got = co_await next;
    if (!got.ok()) co_return got.status();
    piece = *std::move(got);
    last = piece.empty();
  }
}

}  // namespace

// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): outlive the task, as the header says
Task<absl::Status> Forwarder::ForwardStream(CallContext& context, ForwardCall call, ReplySink& sink) const {
  const auto cleared = Clear(context, call);
  if (!cleared.ok()) co_return cleared.status();

  const portal::BudgetClaim claim = ClaimOf(context, call, cleared->weight);
  portal::BudgetAcquire acquire(parts_.budgets, claim);
  absl::StatusOr<portal::Permit> permit = co_await acquire;
  if (!permit.ok()) co_return permit.status();

  audit::IntentDurable intent(context.audit, DurabilityOf(*call.request), parts_.scheduler);
  const absl::Status recorded = co_await intent;
  if (!recorded.ok()) permit->Return();
  if (!recorded.ok()) co_return recorded;

  SharedReads::Write write(parts_.reads, call.portal, *call.request);
  auto sending = parts_.attempts.Send({.call = cleared->call,
                                       .entry = *cleared->entry,
                                       .request_id = context.request_id,
                                       .deadline = context.deadline,
                                       .cancelled = context.cancelled,
                                       .claim = claim,
                                       .repeatable = call.repeatable(),
                                       .streaming = true},
                                      *std::move(permit));
  Dispatched sent = co_await sending;
  write.End();
  audit::Record& record = context.audit.fields();
  record.attempts = sent.attempts;
  if (!sent.result.response.ok()) {
    co_return ToldOfLostAnswer(sent.result.response.status(), sent.result.delivery, call.repeatable());
  }

  http::Response& response = *sent.result.response;
  record.http_status = response.status;
  portal::Scrubber scrubber(response, cleared->entry->forms);
  Handed<ForwardReply> head(sink, {.status = response.status,
                                   .headers = http::PassedReplyHeaders(response.headers),
                                   .body = "",
                                   .credential = cleared->call.credential(),
                                   .attempts = sent.attempts,
                                   .budget = sent.budget,
                                   .age = {},
                                   .request_id = context.request_id});
  const bool head_there = co_await head;
  if (!head_there) co_return Cancelled();
  auto handing_on = HandOnBody(&response, &scrubber, &sink);
  absl::Status end = co_await handing_on;
  co_return end;
}

}  // namespace lmbroker::core
