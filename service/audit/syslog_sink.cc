#include "service/audit/syslog_sink.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "service/audit/chain.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

constexpr int kPatienceMilliseconds = 100;
constexpr int kInformational = 6;

struct Facility {
  std::string_view name;
  int number;
};
constexpr std::array<Facility, 22> kFacilities = {
    {{"kern", 0},    {"user", 1},    {"mail", 2},    {"daemon", 3},  {"auth", 4},      {"syslog", 5},
     {"lpr", 6},     {"news", 7},    {"uucp", 8},    {"cron", 9},    {"authpriv", 10}, {"ftp", 11},
     {"audit", 13},  {"alert", 14},  {"local0", 16}, {"local1", 17}, {"local2", 18},   {"local3", 19},
     {"local4", 20}, {"local5", 21}, {"local6", 22}, {"local7", 23}}};

absl::Status Failed(std::string_view what, const std::string& path, int error) {
  return absl::UnavailableError(fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(error)));
}

// "-" when it cannot be had or has characters that a header must not have.
std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "-";
  const std::string_view text(name.data());
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  return plain ? std::string(text) : "-";
}

absl::StatusOr<Descriptor> ConnectTo(const std::string& path, int type, int& error) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  error = ENAMETOOLONG;
  if (path.size() >= sizeof(address.sun_path)) return Failed("reach", path, error);
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor descriptor(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  error = errno;
  if (descriptor.get() < 0) return Failed("make a socket for", path, error);
  if (connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    error = errno;
    return Failed("reach", path, error);
  }
  return descriptor;
}

}  // namespace

std::optional<int> SyslogFacility(std::string_view name) {
  const auto* const found = std::find_if(kFacilities.begin(), kFacilities.end(),
                                         [&](const Facility& facility) { return facility.name == name; });
  if (found == kFacilities.end()) return std::nullopt;
  return found->number;
}

SyslogSink::SyslogSink(Options options)
    : options_(std::move(options)), header_(fmt::format(" {} lmbrokerd {} audit - ", HostName(), getpid())) {}

Sink::Taken SyslogSink::Append(std::string_view lines) {
  std::size_t taken = 0;
  while (taken < lines.size()) {
    const std::string_view line = lines.substr(taken, lines.find('\n', taken) - taken);
    if (absl::Status sent = Send(line); !sent.ok()) return {.bytes = taken, .status = std::move(sent)};
    taken += line.size() + 1;
  }
  return {.bytes = taken, .status = absl::OkStatus()};
}

absl::Status SyslogSink::Connect() {
  absl::Status failure;
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    int error = 0;
    absl::StatusOr<Descriptor> descriptor = ConnectTo(options_.socket, type, error);
    if (descriptor.ok()) {
      socket_.emplace(*std::move(descriptor));
      is_stream_ = type == SOCK_STREAM;
      sent_ = 0;  // a message that another connection has in part is of no use to this one
      return absl::OkStatus();
    }
    failure = descriptor.status();
    if (error != EPROTOTYPE) break;  // of the other type
  }
  return failure;
}

// A connection that was lost is made anew, once.
absl::Status SyslogSink::Send(std::string_view line) {
  const bool was_connected = socket_.has_value();
  if (!was_connected) RETURN_IF_ERROR(Connect());
  if (sent_ == 0) message_ = Message(line);
  absl::Status sent = SendOnce();
  if (sent.ok() || socket_.has_value() || !was_connected) return sent;
  RETURN_IF_ERROR(Connect());
  message_ = Message(line);
  return SendOnce();
}

std::string SyslogSink::Message(std::string_view line) const {
  const auto record = ReadChained(line);
  return fmt::format("<{}>1 {}{}{}{}", options_.facility * 8 + kInformational, record.has_value() ? record->time : "-",
                     header_, line, is_stream_ ? "\n" : "");
}

// Sends what is left of the message. Without a connection afterwards when that was lost.
absl::Status SyslogSink::SendOnce() {
  if (!socket_.has_value()) return absl::UnavailableError("not connected");
  while (true) {
    const std::string_view rest = std::string_view(message_).substr(sent_);
    const ssize_t count = send(socket_->get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) sent_ += static_cast<std::size_t>(count);
    if (sent_ == message_.size()) {
      sent_ = 0;
      return absl::OkStatus();
    }
    if (count >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN && errno != ENOBUFS) {
      const int error = errno;
      socket_.reset();
      sent_ = 0;
      return Failed("write", options_.socket, error);
    }
    pollfd waited{.fd = socket_->get(), .events = POLLOUT, .revents = 0};
    if (poll(&waited, 1, kPatienceMilliseconds) == 0) {
      return absl::UnavailableError(fmt::format("nobody reads {}", options_.socket));
    }
  }
}

}  // namespace lmbroker::audit
