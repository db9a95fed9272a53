#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/http/client.h"

namespace lmbroker::http {

// The body of a streamed reply, as a test lets it come. Used by one thread at a time.
class FakeBody {
 public:
  // What the receiver holds of it.
  static std::shared_ptr<BodyReader> ReaderOf(const std::shared_ptr<FakeBody>& body) {
    return std::make_shared<Reader>(body);
  }

  void Send(std::string piece) {
    pieces_.push_back(std::move(piece));
    Tell();
  }
  void End(absl::Status status = absl::OkStatus()) {
    end_ = std::move(status);
    Tell();
  }

  bool wanted() const { return done_ != nullptr; }
  bool abandoned() const { return abandoned_; }
  std::size_t unread() const { return pieces_.size(); }

 private:
  class Reader final : public BodyReader {
   public:
    explicit Reader(std::shared_ptr<FakeBody> body) : body_(std::move(body)) {}
    ~Reader() override { body_->abandoned_ = !body_->ended_; }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    void Next(Done done) override {
      body_->done_ = std::move(done);
      body_->Tell();
    }

   private:
    const std::shared_ptr<FakeBody> body_;
  };

  void Tell() {
    if (done_ == nullptr || (pieces_.empty() && !end_.has_value())) return;
    absl::StatusOr<std::string> piece = std::string();
    if (!pieces_.empty()) {
      piece = std::move(pieces_.front());
      pieces_.pop_front();
    } else {
      ended_ = true;
      if (!end_->ok()) piece = *end_;
    }
    BodyReader::Done done = std::exchange(done_, nullptr);
    done(std::move(piece));
  }

  std::deque<std::string> pieces_;
  std::optional<absl::Status> end_;
  BodyReader::Done done_;
  bool ended_ = false;
  bool abandoned_ = false;
};

// A client whose transfers wait until the test answers them: late, out of order, or never. It keeps Client's promises
// (done exactly once, cancellation, deadline); tests/contract/http_client_contract_test.cc says so. A deadline passes
// when the test moves the clock and calls ExpireDue. Safe for concurrent use.
class FakeHttpClient final : public Client {
 public:
  explicit FakeHttpClient(const Clock& clock) : clock_(clock) {}
  ~FakeHttpClient() override {
    for (auto& transfer : TakeIf([](const Pending&) { return true; })) {
      transfer->Finish({.response = Refuse(Reason::kDraining, "The client ends."), .delivery = Delivery::kMaybeSent});
    }
  }

  void Send(OutgoingRequest request, SendOptions options, Done done) override {
    if (options.cancelled.stop_requested()) return done({.response = Cancelled()});
    if (options.deadline <= clock_.Monotonic()) return done({.response = Refuse(Reason::kDeadline, "Too late.")});
    const std::stop_token cancelled = options.cancelled;
    auto transfer = std::make_unique<Pending>(std::move(request), std::move(options), std::move(done));
    const Pending* const key = transfer.get();
    if (cancelled.stop_possible()) transfer->on_cancel.emplace(cancelled, [this, key] { Cancel(key); });
    {
      const std::lock_guard lock(mutex_);
      ++sent_;
      pending_.push_back(std::move(transfer));
    }
    changed_.notify_all();
    if (cancelled.stop_requested()) Cancel(key);  // it may have come before the transfer could be found
  }

  // How many transfers wait for an answer, and how many were ever started.
  std::size_t pending() const {
    const std::lock_guard lock(mutex_);
    return pending_.size();
  }
  std::size_t sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  // Returns when at least `count` transfers wait for an answer.
  void AwaitPending(std::size_t count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return pending_.size() >= count; });
  }

  // The request at `index` of those that wait, 0 being the oldest; valid until it is answered.
  const OutgoingRequest& request(std::size_t index = 0) const {
    const std::lock_guard lock(mutex_);
    return pending_.at(index)->request;
  }
  const SendOptions& options(std::size_t index = 0) const {
    const std::lock_guard lock(mutex_);
    return pending_.at(index)->options;
  }

  // Ends the transfer at `index` on this thread.
  void Answer(Response response, std::size_t index = 0) {
    auto transfer = TakeAt(index);
    if (response.body.size() > transfer->options.most_reply_bytes) {
      return transfer->Finish(
          {.response = Refuse(Reason::kReplyTooLarge, "Too large."), .delivery = Delivery::kMaybeSent});
    }
    transfer->Finish({.response = std::move(response), .delivery = Delivery::kMaybeSent});
  }
  // Ends the transfer at `index` with the head of a reply whose body comes later, as a streaming one wants it.
  std::shared_ptr<FakeBody> AnswerHead(Response head, std::size_t index = 0) {
    auto body = std::make_shared<FakeBody>();
    head.rest = FakeBody::ReaderOf(body);
    TakeAt(index)->Finish({.response = std::move(head), .delivery = Delivery::kMaybeSent});
    return body;
  }
  void Fail(absl::Status status, Delivery delivery, std::size_t index = 0) {
    TakeAt(index)->Finish({.response = std::move(status), .delivery = delivery});
  }

  // Ends the transfers whose deadline has passed.
  void ExpireDue() {
    const absl::Duration now = clock_.Monotonic();
    for (auto& transfer : TakeIf([&](const Pending& each) { return each.options.deadline <= now; })) {
      transfer->Finish({.response = Refuse(Reason::kDeadline, "Too late."), .delivery = Delivery::kMaybeSent});
    }
  }

 private:
  struct Pending {
    Pending(OutgoingRequest r, SendOptions o, Done d)
        : request(std::move(r)), options(std::move(o)), done(std::move(d)) {}
    void Finish(TransferResult result) {
      on_cancel.reset();
      done(std::move(result));
    }

    OutgoingRequest request;
    SendOptions options;
    Done done;
    std::optional<std::stop_callback<std::function<void()>>> on_cancel;
  };
  using Transfers = std::vector<std::unique_ptr<Pending>>;

  template <class Wanted>
  Transfers TakeIf(Wanted wanted) {
    const std::lock_guard lock(mutex_);
    Transfers taken;
    Transfers left;
    for (auto& each : pending_) (wanted(*each) ? taken : left).push_back(std::move(each));
    pending_.swap(left);
    return taken;
  }
  std::unique_ptr<Pending> TakeAt(std::size_t index) {
    const std::lock_guard lock(mutex_);
    auto transfer = std::move(pending_.at(index));
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
    return transfer;
  }
  // Runs on the thread that cancels; finds nothing when the transfer ended meanwhile.
  void Cancel(const Pending* key) {
    for (auto& transfer : TakeIf([&](const Pending& each) { return &each == key; })) {
      transfer->Finish({.response = Cancelled(), .delivery = Delivery::kMaybeSent});
    }
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Transfers pending_;
  std::size_t sent_ = 0;
};

}  // namespace lmbroker::http
