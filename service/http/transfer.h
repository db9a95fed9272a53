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

}  // namespace lmbroker::http
