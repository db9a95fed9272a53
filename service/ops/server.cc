#include "service/ops/server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <utility>

#include "service/base/file.h"
#include "service/base/listener.h"
#include "service/base/status_macros.h"
#include "service/ops/bounded_stream.h"

namespace lmbroker::ops {
namespace {

constexpr std::size_t kThreads = 8;
constexpr std::size_t kMostRequestBytes = std::size_t{16} * 1024;
constexpr std::chrono::seconds kMostTime{2};
constexpr const char* kPlainText = "text/plain; charset=utf-8";

void Answer(httplib::Response& response, int status, const std::string& body, const char* type = kPlainText) {
  response.status = status;
  response.set_content(body, type);
}

// httplib's reading, routing and answering of one request, on connections that we accept and bound.
class Router final : public httplib::Server {
 public:
  Router(std::vector<Check> checks, std::function<std::string()> metrics) {
    set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
      if (request.method != "GET") {
        response.set_header("Allow", "GET");
        Answer(response, 405, "only GET\n");
      } else if (request.has_header("Range")) {  // a thousand ranges would make a thousand copies of an answer
        Answer(response, 400, "no ranges\n");
      } else {
        return HandlerResponse::Unhandled;
      }
      return HandlerResponse::Handled;
    });
    Get("/livez", [](const httplib::Request&, httplib::Response& response) { Answer(response, 200, "ok\n"); });
    Get("/readyz", [checks = std::move(checks)](const httplib::Request&, httplib::Response& response) {
      const Readiness readiness = Judge(checks);
      Answer(response, readiness.ready ? 200 : 503, readiness.json + "\n", "application/json");
    });
    Get("/metrics", [metrics = std::move(metrics)](const httplib::Request&, httplib::Response& response) {
      Answer(response, 200, metrics(), "text/plain; version=0.0.4; charset=utf-8");
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
      Answer(response, 500, "internal error\n");
    });
  }

  void Serve(const Descriptor& connection) {
    BoundedStream stream(connection.get(), std::chrono::steady_clock::now() + kMostTime, kMostRequestBytes);
    bool closed = false;
    process_request(stream, /*close_connection=*/true, closed, nullptr);
    // Reads what the peer still sends, within the bounds: closing a socket with unread bytes would take the answer
    // back.
    shutdown(connection.get(), SHUT_WR);
    std::array<char, 1024> rest{};
    while (stream.read(rest.data(), rest.size()) > 0) {
    }
  }
};

}  // namespace

class Server::State {
 public:
  State(Listener listener, Options options)
      : listener_(std::move(listener)), router_(std::move(options.checks), std::move(options.metrics)) {
    for (std::thread& thread : threads_) thread = std::thread([this] { Work(); });
  }
  ~State() {
    listener_.Close();
    for (std::thread& thread : threads_) thread.join();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const std::string& address() const { return listener_.address(); }

 private:
  void Work() {
    while (const std::optional<Descriptor> connection = listener_.Accept()) router_.Serve(*connection);
  }

  Listener listener_;
  Router router_;
  std::array<std::thread, kThreads> threads_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Open(Options options) {
  ASSIGN_OR_RETURN(Listener listener, Listener::Open(options.address));
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(options.address_file, listener.address() + "\n", 0644));
  }
  return std::unique_ptr<Server>(new Server(std::make_unique<State>(std::move(listener), std::move(options))));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() = default;

const std::string& Server::address() const { return state_->address(); }

}  // namespace lmbroker::ops
