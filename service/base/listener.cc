#include "service/base/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker {
namespace {

absl::Status Failed(std::string_view address, std::string_view problem) {
  return absl::FailedPreconditionError(fmt::format("cannot listen on {}: {}", Excerpt(address), problem));
}

absl::Status FailedWithErrno(std::string_view address) {
  return Failed(address, std::generic_category().message(errno));
}

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

absl::StatusOr<HostAndPort> Split(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return Failed(address, "it must be HOST:PORT");
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Failed(address, "an IPv6 address must be in brackets");
  }
  const std::string_view digits = address.substr(colon + 1);
  HostAndPort parts{.host = std::string(host)};
  const auto parsed = std::from_chars(digits.begin(), digits.end(), parts.port);
  if (parsed.ec != std::errc() || parsed.ptr != digits.end()) return Failed(address, "its port must be 0 to 65535");
  return parts;
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<AddressList> Resolve(std::string_view address) {
  ASSIGN_OR_RETURN(const HostAndPort parts, Split(address));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(parts.host.c_str(), std::to_string(parts.port).c_str(), &hints, &list);
  if (error != 0) return Failed(address, gai_strerror(error));
  return AddressList(list, &freeaddrinfo);
}

absl::StatusOr<int> PortOf(const Descriptor& socket, std::string_view address) {
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) return FailedWithErrno(address);
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

}  // namespace

absl::StatusOr<Listener> Listener::Open(std::string_view address, int backlog) {
  ASSIGN_OR_RETURN(const AddressList list, Resolve(address));
  Descriptor socket(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return FailedWithErrno(address);
  const int yes = 1;  // and not SO_REUSEPORT: a second process on the port must fail, not take half of the connections
  if (setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
      bind(socket.get(), list->ai_addr, list->ai_addrlen) != 0 || listen(socket.get(), backlog) != 0) {
    return FailedWithErrno(address);
  }
  ASSIGN_OR_RETURN(const int port, PortOf(socket, address));
  return Listener(std::move(socket), fmt::format("{}:{}", address.substr(0, address.rfind(':')), port));
}

std::optional<Descriptor> Listener::Accept() const {
  while (true) {
    Descriptor connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.get() >= 0) return connection;
    if (errno == EINVAL) return std::nullopt;  // closed
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the system lacks something: let others end first
    }
  }
}

void Listener::Close() { shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace lmbroker
