#include "service/h2/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "service/base/secret.h"

namespace lmbroker::h2 {
namespace {

// A TLS record's content; also what waits for a caller that does not read, at least.
constexpr std::size_t kRecord = std::size_t{16} << 10;
constexpr absl::Duration kMostStuck = absl::Minutes(1);

}  // namespace

Connection::Connection(http::EventLoop& loop, Flusher& flusher, std::unique_ptr<TlsSocket> socket,
                       Session::Limits limits, Handlers handlers)
    : loop_(loop),
      flusher_(flusher),
      socket_(std::move(socket)),
      handlers_(std::move(handlers)),
      session_(*this, limits) {}

Connection::~Connection() { loop_.Unwatch(socket_->descriptor()); }

void Connection::Start() {
  Watch(/*for_room=*/false);
  OnOutput();                                // our settings
  OnEvents(socket_->descriptor(), EPOLLIN);  // what came with the end of the handshake
}

void Connection::Watch(bool for_room) {
  waits_for_room_ = for_room;
  loop_.Watch(socket_->descriptor(), for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

void Connection::Close() {
  if (!std::exchange(open_, false)) return;
  loop_.Unwatch(socket_->descriptor());
  session_.Abandon();
  handlers_.on_over(*this);
}

void Connection::Tend(absl::Duration now) {
  stuck_since_ = waits_for_room_ ? std::min(stuck_since_, now) : absl::InfiniteDuration();
  if (now - stuck_since_ > kMostStuck) return Close();
  if (session_.streams() > 0 || written_ < out_.size()) return;
  socket_->Rest();
  std::string().swap(out_);
  written_ = 0;
}

void Connection::OnEvents(int, std::uint32_t events) {
  const auto self = shared_from_this();
  if (!Read()) return Close();
  if (waits_for_room_ && (events & EPOLLOUT) != 0) Flush();
}

// False when there is nothing more to come.
bool Connection::Read() {
  std::array<char, kRecord> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): Read fills it
  do {
    const ssize_t size = socket_->Read(bytes);
    if (size == TlsSocket::kNotNow) break;
    if (size == TlsSocket::kOver) return false;
    const bool good = session_.Receive({bytes.data(), static_cast<std::size_t>(size)});
    Wipe(bytes.data(), static_cast<std::size_t>(size));
    if (!good) {
      Write();  // why
      return false;
    }
  } while (socket_->HasPending());
  if (session_.WantsToSend() || session_.over()) OnOutput();
  return true;
}

void Connection::OnOutput() {
  if (std::exchange(flush_comes_, true)) return;
  flusher_.Add(weak_from_this());
}

void Connection::Flush() {
  flush_comes_ = false;
  if (!open_) return;
  if (!Write() || (session_.over() && written_ == out_.size())) Close();
}

// False when the connection is over.
bool Connection::Write() {
  while (true) {
    if (written_ == out_.size() || written_ >= kRecord) {
      out_.erase(0, written_);
      written_ = 0;
    }
    session_.Send(out_, written_ + kRecord);
    if (written_ == out_.size()) break;
    const ssize_t size = socket_->Write(std::string_view(out_).substr(written_));
    if (size == TlsSocket::kOver) return false;
    if (size == TlsSocket::kNotNow) {
      if (!waits_for_room_) Watch(/*for_room=*/true);
      return true;
    }
    written_ += static_cast<std::size_t>(size);
    stuck_since_ = absl::InfiniteDuration();
  }
  if (waits_for_room_) Watch(/*for_room=*/false);
  return true;
}

}  // namespace lmbroker::h2
