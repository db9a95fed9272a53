#include "service/h2/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "service/base/status_macros.h"

namespace lmbroker::h2 {
namespace {

// Callers that connect at once, e.g. after a restart; the kernel takes less where it is told to.
constexpr int kBacklog = 1024;
constexpr absl::Duration kBetweenWords = absl::Seconds(1);

void SetOption(const Descriptor& socket, int level, int option, int value) {
  setsockopt(socket.get(), level, option, &value, sizeof(value));  // without it the connection works as well
}

// Nothing waits for it. A machine that vanished must not hold its place for ever: after a minute of silence it is
// asked, for half a minute.
void Prepare(const Descriptor& connection) {
  fcntl(connection.get(), F_SETFL, fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
  SetOption(connection, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(connection, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(connection, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  SetOption(connection, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(connection, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Open(std::string_view address, std::size_t most_connections,
                                                         const Parts& parts) {
  ASSIGN_OR_RETURN(Listener listener, Listener::Open(address, kBacklog));
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(listener), most_connections, parts));
}

Acceptor::Acceptor(Listener listener, std::size_t most_connections, const Parts& parts)
    : parts_(parts),
      address_(listener.address()),
      most_connections_(most_connections),
      count_(most_connections),
      listener_(std::move(listener)) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Start(Take take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (!listener_.has_value()) return;
  listener_->Close();
  if (thread_.joinable()) thread_.join();
  listener_.reset();
  take_ = nullptr;
}

void Acceptor::Run() {
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): Stop lets go of it when this thread has ended
  while (auto connection = listener_->Accept()) {
    auto place = count_.TryEnter();
    if (!place.has_value()) {
      Refused();
      continue;  // closed here
    }
    Prepare(*connection);
    take_({.socket = *std::move(connection), .place = *std::move(place)});
  }
}

void Acceptor::Refused() {
  parts_.metrics.ConnectionRefused();
  const absl::Duration now = parts_.clock.Monotonic();
  if (now - last_said_ < kBetweenWords) return;
  last_said_ = now;
  parts_.logger.Warn("connections_refused", {{"limit", most_connections_}});
}

}  // namespace lmbroker::h2
