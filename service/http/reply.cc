#include "service/http/reply.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/secret.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

constexpr std::size_t kMostHeaders = 100;
constexpr std::size_t kMostHeaderBytes = 64 << 10;
constexpr int kMostInterimReplies = 10;

absl::Status TooLarge(std::size_t most_bytes) {
  return Refuse(Reason::kReplyTooLarge,
                fmt::format("The portal's reply has more than {} bytes; ask for less at a time.", most_bytes),
                {.metadata = {{"limit", fmt::format("{}", most_bytes)}}});
}

// RFC 9110, section 5.6.2. http-parser itself lets blanks in names pass, as Debian builds it.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || !HasControl({&c, 1}); });
}

}  // namespace

absl::Status NotHttp(std::string_view problem) {
  return Refuse(Reason::kPortalError, fmt::format("The portal's answer is not good HTTP: {}; try again.", problem));
}

Reply::Reply(std::size_t most_body_bytes, ByteLease memory)
    : most_body_bytes_(most_body_bytes), memory_(std::move(memory)) {}

absl::Status Reply::CountHeaderBytes(std::size_t size) {
  header_bytes_ += size;
  return header_bytes_ > kMostHeaderBytes ? NotHttp("its headers are too long") : absl::OkStatus();
}

absl::StatusOr<NameValue*> Reply::AddHeader() {
  if (response_.headers.size() == kMostHeaders) return NotHttp("it has too many headers");
  return &response_.headers.emplace_back();
}

absl::Status Reply::EndHead(int status, std::optional<std::uint64_t> length) {
  head_complete_ = true;
  for (NameValue& header : response_.headers) header.value.erase(header.value.find_last_not_of(" \t") + 1);
  response_.status = status;
  most_capacity_ = std::min<std::uint64_t>(most_body_bytes_, length.value_or(most_body_bytes_));
  const bool good = std::all_of(response_.headers.begin(), response_.headers.end(), [](const NameValue& header) {
    return IsToken(header.name) && IsFieldValue(header.value);
  });
  if (!good) return NotHttp("a header is malformed");
  return length.value_or(0) > most_body_bytes_ ? TooLarge(most_body_bytes_) : absl::OkStatus();
}

absl::Status Reply::DropInterim() {
  if (++interim_replies_ > kMostInterimReplies) return NotHttp("too many interim replies");
  response_ = {};
  head_complete_ = false;
  return absl::OkStatus();
}

absl::Status Reply::AddBody(std::string_view bytes) {
  if (bytes.size() > most_body_bytes_ - response_.body.size()) return TooLarge(most_body_bytes_);
  if (!MakeRoom(response_.body.size() + bytes.size())) return NoRoomFor("the portal's reply");
  response_.body += bytes;
  return absl::OkStatus();
}

// Room for a body of `size`. It grows as strings do, but only to what it can become, and what is counted is what is
// allocated.
bool Reply::MakeRoom(std::size_t size) {
  std::string& body = response_.body;
  if (size <= body.capacity()) return true;
  const std::size_t capacity = std::max(size, std::min(2 * body.capacity(), most_capacity_));
  if (!memory_.TryResize(capacity)) return false;
  std::string larger;  // a string that reserves more of itself takes at least twice as much
  larger.reserve(capacity);
  larger += body;
  Wipe(body.data(), body.size());  // it may hold a new token's key
  body = std::move(larger);
  return true;
}

Response Reply::TakeResponse() {
  if (memory_.bytes() > 0) response_.memory = std::make_shared<const ByteLease>(std::move(memory_));
  return std::move(response_);
}

}  // namespace lmbroker::http
