#include "service/ops/bounded_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace lmbroker::ops {

// Whether the socket is ready before the deadline.
bool BoundedStream::Await(bool to_read) const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
  if (left.count() <= 0) return false;
  pollfd entry{.fd = socket_, .events = static_cast<short>(to_read ? POLLIN : POLLOUT), .revents = 0};
  return poll(&entry, 1, static_cast<int>(left.count())) == 1;
}

ssize_t BoundedStream::read(char* data, std::size_t size) {
  if (bytes_left_ == 0 || !Await(/*to_read=*/true)) return -1;
  const ssize_t count = recv(socket_, data, std::min(size, bytes_left_), 0);
  if (count > 0) bytes_left_ -= static_cast<std::size_t>(count);
  return count;
}

ssize_t BoundedStream::write(const char* data, std::size_t size) {
  if (!Await(/*to_read=*/false)) return -1;
  return send(socket_, data, size, MSG_NOSIGNAL);
}

// Nobody asks: access is not logged.
void BoundedStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void BoundedStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace lmbroker::ops
