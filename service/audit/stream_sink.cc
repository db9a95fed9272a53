#include "service/audit/stream_sink.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include <absl/status/statusor.h>
#include <fmt/format.h>

namespace lmbroker::audit {
namespace {

constexpr int kPatienceMilliseconds = 100;

// A pipe that says that it can be written takes PIPE_BUF bytes without blocking. The descriptor is shared with others,
// so its mode is not ours to change.
ssize_t WriteSome(int descriptor, std::string_view data) {
  const ssize_t sent = send(descriptor, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return sent;
  return write(descriptor, data.data(), std::min<std::size_t>(data.size(), PIPE_BUF));
}

absl::Status AwaitReader(int descriptor, std::string_view name) {
  pollfd waited{.fd = descriptor, .events = POLLOUT, .revents = 0};
  while (true) {
    const int ready = poll(&waited, 1, kPatienceMilliseconds);
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return absl::UnavailableError(fmt::format("nobody reads {}", name));
    if (errno != EINTR) {
      return absl::UnavailableError(
          fmt::format("cannot wait for {}: {}", name, std::generic_category().message(errno)));
    }
  }
}

}  // namespace

StreamSink::StreamSink(std::string name, Descriptor descriptor)
    : name_(std::move(name)), descriptor_(std::move(descriptor)) {}

Sink::Taken StreamSink::Append(std::string_view lines) {
  std::size_t written = begun_;
  absl::Status status;
  while (status.ok() && written < lines.size()) {
    status = AwaitReader(descriptor_.get(), name_);
    if (!status.ok()) break;
    const ssize_t count = WriteSome(descriptor_.get(), lines.substr(written));
    if (count > 0) {
      written += static_cast<std::size_t>(count);
    } else if (count < 0 && errno != EINTR && errno != EAGAIN) {
      status =
          absl::UnavailableError(fmt::format("cannot write {}: {}", name_, std::generic_category().message(errno)));
    }
  }
  const std::size_t whole = written == 0 ? 0 : lines.rfind('\n', written - 1) + 1;
  begun_ = written - whole;
  return {.bytes = whole, .status = std::move(status)};
}

}  // namespace lmbroker::audit
