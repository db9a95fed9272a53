#pragma once

#include <coroutine>
#include <utility>

#include "service/http/client.h"

namespace lmbroker::http {

// Client::Send for coroutines: `Transfer transfer(client, std::move(request), options); … = co_await transfer;`.
// Resumes on the thread on which the transfer ended.
class [[nodiscard]] Transfer {
 public:
  Transfer(Client& client, OutgoingRequest request, SendOptions options)
      : client_(client), request_(std::move(request)), options_(std::move(options)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    // `this` lives in the waiter's frame, which may be gone as soon as the result is in: touch nothing after Send.
    client_.Send(std::move(request_), std::move(options_), [this, waiter](TransferResult result) {
      result_ = std::move(result);
      waiter.resume();
    });
  }
  TransferResult await_resume() { return std::move(result_); }

 private:
  Client& client_;
  OutgoingRequest request_;
  SendOptions options_;
  TransferResult result_{.response = absl::UnknownError("pending")};
};

// BodyReader::Next for coroutines: `NextPiece next(reader); const absl::StatusOr<std::string> piece = co_await next;`.
// On the client's thread.
class [[nodiscard]] NextPiece {
 public:
  explicit NextPiece(BodyReader& reader) : reader_(reader) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    reader_.Next([this, waiter](absl::StatusOr<std::string> piece) {
      piece_ = std::move(piece);
      // Told from within, it goes on without a resumption: a long body would pile them up.
      if (state_ == State::kAsking) {
        state_ = State::kTold;
      } else {
        waiter.resume();
      }
    });
    if (state_ == State::kTold) return false;
    state_ = State::kWaiting;
    return true;
  }
  absl::StatusOr<std::string> await_resume() { return std::move(piece_); }

 private:
  enum class State { kAsking, kTold, kWaiting };

  BodyReader& reader_;
  State state_ = State::kAsking;
  absl::StatusOr<std::string> piece_ = absl::UnknownError("pending");
};

}  // namespace lmbroker::http
