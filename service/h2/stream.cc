#include "service/h2/stream.h"

#include <algorithm>
#include <cstring>

#include "service/h2/session.h"

namespace lmbroker::h2 {
namespace {

// nghttp2 copies what it is given, and writes to none of it.
nghttp2_nv ToNghttp2(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(
        const_cast<char*>(text.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> ToNghttp2(std::span<const Header> headers) {
  std::vector<nghttp2_nv> converted;
  converted.reserve(headers.size());
  for (const Header& header : headers) converted.push_back(ToNghttp2(header.name, header.value));
  return converted;
}

}  // namespace

void Stream::Answer(std::span<const Header> head) {
  const auto fields = ToNghttp2(head);
  nghttp2_submit_response(session_.raw(), id_, fields.data(), fields.size(), nullptr);
  session_.Changed();
}

void Stream::Begin(std::span<const Header> head) {
  const auto fields = ToNghttp2(head);
  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = ReadBody;
  nghttp2_submit_response(session_.raw(), id_, fields.data(), fields.size(), &body);
  session_.Changed();
}

void Stream::Write(std::string bytes) {
  if (taken_ == body_.size()) {
    body_ = std::move(bytes);
    taken_ = 0;
  } else {
    body_ += bytes;
  }
  Resume();
}

void Stream::Finish(std::span<const Header> trailers) {
  for (const Header& each : trailers) trailers_.emplace_back(each.name, each.value);
  finished_ = true;
  Resume();
}

void Stream::Resume() {
  if (std::exchange(waiting_, false)) nghttp2_session_resume_data(session_.raw(), id_);
  session_.Changed();
}

void Stream::Cut() {
  nghttp2_submit_rst_stream(session_.raw(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  session_.Cut(id_);
}

void Stream::TellSent() {
  if (handler_ != nullptr) handler_->OnSent();
}

void Stream::TellClosed() {
  if (StreamHandler* const handler = std::exchange(handler_, nullptr); handler != nullptr) handler->OnClosed();
}

ssize_t Stream::ReadBody(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                         nghttp2_data_source* source, void*) {
  auto& stream = *static_cast<Stream*>(source->ptr);
  const bool had_some = stream.taken_ < stream.body_.size();
  const ssize_t taken = stream.TakeBody(into, room, *flags);
  if (had_some && stream.taken_ == stream.body_.size() && !stream.finished_) stream.session_.Drained(stream.id_);
  return taken;
}

ssize_t Stream::TakeBody(std::uint8_t* into, std::size_t room, std::uint32_t& flags) {
  const std::size_t taken = std::min(room, body_.size() - taken_);
  std::memcpy(into, body_.data() + taken_, taken);
  taken_ += taken;
  if (taken_ < body_.size()) return static_cast<ssize_t>(taken);
  if (finished_) {
    flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    SubmitTrailers();
  } else if (taken == 0) {
    waiting_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(taken);
}

void Stream::SubmitTrailers() {
  std::vector<nghttp2_nv> fields;
  fields.reserve(trailers_.size());
  for (const auto& [name, value] : trailers_) fields.push_back(ToNghttp2(name, value));
  nghttp2_submit_trailer(session_.raw(), id_, fields.data(), fields.size());
}

}  // namespace lmbroker::h2
