#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/byte_budget.h"
#include "service/http/client.h"
#include "service/http/headers.h"

namespace lmbroker::http {

// PORTAL_ERROR: what came is no reply. `problem` is ours, never a portal's text.
absl::Status NotHttp(std::string_view problem);

// A portal's reply while it comes in, by whatever protocol, within bounds: 100 headers and 64 KiB of them, 10 interim
// replies, and the body that the caller allows. Not synchronised.
//
// What gives a status gives OK, or why the reply is refused: PORTAL_ERROR (not HTTP), REPLY_TOO_LARGE, QUEUE_FULL (no
// memory for the body).
class Reply {
 public:
  // `memory` counts the body for as long as it is held.
  explicit Reply(std::size_t most_body_bytes, ByteLease memory = {});

  // A byte of it came.
  void NoteStart() { started_ = true; }
  bool started() const { return started_; }

  // So many bytes of header names and values came, of all heads and trailers.
  absl::Status CountHeaderBytes(std::size_t size);
  // Adds an empty header, to be filled in.
  absl::StatusOr<NameValue*> AddHeader();
  // All headers are there. `length`: what the reply says that its body has, if it does.
  absl::Status EndHead(int status, std::optional<std::uint64_t> length);
  bool head_complete() const { return head_complete_; }
  // That was an interim reply (1xx): another head follows.
  absl::Status DropInterim();
  absl::Status AddBody(std::string_view bytes);

  const std::vector<NameValue>& headers() const { return response_.headers; }
  std::size_t body_size() const { return response_.body.size(); }
  // The head can be taken once it is complete, and the body piece by piece.
  Response TakeHead() { return {.status = response_.status, .headers = std::move(response_.headers)}; }
  std::string TakeBody() { return std::exchange(response_.body, {}); }
  // The reply, or what was not taken of it.
  Response TakeResponse();

 private:
  bool MakeRoom(std::size_t size);

  const std::size_t most_body_bytes_;
  ByteLease memory_;
  std::size_t most_capacity_ = 0;  // of the body: what the reply says that it has, or the most
  Response response_;
  std::size_t header_bytes_ = 0;
  int interim_replies_ = 0;
  bool started_ = false;
  bool head_complete_ = false;
};

}  // namespace lmbroker::http
