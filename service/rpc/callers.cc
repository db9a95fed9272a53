#include "service/rpc/callers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "service/base/error.h"
#include "service/identity/certificate.h"

namespace lmbroker::rpc {
namespace {

constexpr absl::Duration kTendEvery = absl::Seconds(1);
// While everyone goes.
constexpr absl::Duration kLookEvery = absl::Milliseconds(10);
// For a client to have heard that it is asked to go: what it sent before is answered.
constexpr absl::Duration kNotice = absl::Milliseconds(250);
// What calls have to end when their connection has come of age: more than any may take.
constexpr absl::Duration kAgeGrace = absl::Minutes(6);
// Calls that each connection may have, however many there are.
constexpr std::size_t kLeastShare = 8;

absl::StatusOr<std::vector<std::string>> IdentitiesOf(const std::string& certificate) {
  if (certificate.empty()) return std::vector<std::string>();
  const auto names = identity::NamesOf(certificate);
  if (!names.ok()) return names.status();
  return identity::IdentitiesOf(*names);
}

std::shared_ptr<const Peer> PeerOf(const h2::TlsSocket& socket) {
  std::string certificate = socket.PeerCertificate();
  auto identities = IdentitiesOf(certificate);
  return std::make_shared<const Peer>(Peer{.address = h2::PeerAddress(socket.descriptor()),
                                           .identities = std::move(identities),
                                           .certificate = std::move(certificate),
                                           .chain = socket.PeerChain()});
}

WireStatus Says(absl::StatusCode code, std::string_view message) {
  return {.code = static_cast<int>(code), .message = std::string(message)};
}

// Why no method could be asked; nothing when one can be.
std::optional<WireStatus> Problem(const h2::RequestHead& head, bool head_fits,
                                  const std::optional<absl::Duration>& timeout) {
  if (!head_fits) return Says(absl::StatusCode::kResourceExhausted, "The call's metadata is larger than 16 KiB.");
  if (!ParseMessageCoding(head.Find("grpc-encoding")).known) {
    return Says(absl::StatusCode::kUnimplemented, "The broker does not know the message encoding; use gzip or none.");
  }
  if (head.Count("grpc-timeout") > 0 && !timeout.has_value()) {
    return Says(absl::StatusCode::kInvalidArgument,
                "The call's grpc-timeout cannot be read; send up to eight digits and a unit.");
  }
  return std::nullopt;
}

absl::Status NoPlace() {
  return Refuse(Reason::kQueueFull, "The broker has as many calls as it can look after; try again later.",
                {.retry_after = absl::Seconds(1)});
}

// "application/grpc", "application/grpc+proto"; not "application/grpc-web", which is another protocol.
bool IsGrpc(std::string_view content_type) {
  constexpr std::string_view kGrpc = "application/grpc";
  if (!content_type.starts_with(kGrpc)) return false;
  const std::string_view rest = content_type.substr(kGrpc.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

// The HTTP status of what is not gRPC at all; nothing when it is.
std::string_view HttpProblem(const h2::RequestHead& head) {
  if (head.Find(":method") != "POST") return "405";
  return IsGrpc(head.Find("content-type")) ? "" : "415";
}

// A request that was answered at once: what else comes of it is of no interest.
class TurnedAway final : public GrpcCall {
 public:
  TurnedAway(Wire& wire, h2::Stream& stream, Incoming incoming) : GrpcCall(wire, stream, std::move(incoming)) {}

  void With(const WireStatus& status) { Finish(status); }
  void With(std::string_view http_status) { FinishBare(std::array{h2::Header{":status", http_status}}); }

 private:
  void OnMessage(std::string&) override {}
  void OnRequestEnd() override {}
  void OnGone() override { Release(); }
};

}  // namespace

Callers::Callers(const Options& options, http::EventLoop& loop, const Clock& clock, const Methods& methods)
    : options_(options),
      clock_(clock),
      methods_(methods),
      unread_(options.most_unread),
      wire_{.loop = loop, .clock = clock, .unread = unread_, .most_message = options.most_message},
      flusher_(loop) {}

void Callers::Start() {
  wire_.loop.Post([this] { TendSoon(); });
}

void Callers::Take(std::unique_ptr<h2::TlsSocket> socket) {
  auto peer = PeerOf(*socket);
  wire_.loop.Post(
      [this, taken = std::move(socket), of = std::move(peer)]() mutable { Admit(std::move(taken), std::move(of)); });
}

void Callers::Admit(std::unique_ptr<h2::TlsSocket> socket, std::shared_ptr<const Peer> peer) {
  auto caller = std::make_unique<Caller>(Caller{.peer = std::move(peer)});
  const auto connection = std::make_shared<h2::Connection>(
      wire_.loop, flusher_, std::move(socket), h2::Session::Limits{.streams = options_.most_calls},
      h2::Connection::Handlers{.on_request = [this, from = caller.get()](h2::Stream& stream, bool head_fits)
                                   -> h2::StreamHandler& { return Route(*from, stream, head_fits); },
                               .on_over = [this](const h2::Connection& over) { callers_.erase(&over); }});
  // By up to a tenth earlier or later, so that those who came together do not go together.
  const double spread = 0.9 + 0.2 * std::fmod(0.618 * static_cast<double>(++admitted_), 1.0);
  caller->connection = connection;
  caller->asked_at = clock_.Monotonic() + options_.connection_age * spread;
  callers_.emplace(connection.get(), std::move(caller));
  connection->Start();
}

h2::StreamHandler& Callers::Route(Caller& caller, h2::Stream& stream, bool head_fits) {
  const h2::RequestHead& head = stream.head();
  Incoming incoming{
      .peer = caller.peer, .arrival = clock_.Monotonic(), .timeout = ParseTimeout(head.Find("grpc-timeout"))};
  const auto turn_away = [&](const auto& answer) -> h2::StreamHandler& {
    auto* const call = new TurnedAway(wire_, stream, std::move(incoming));
    call->With(answer);
    return *call;
  };
  if (wire_.calls >= options_.most_in_all && HasItsShare(caller)) {
    caller.doomed = wire_.calls >= 2 * options_.most_in_all;
    return turn_away(ToWire(NoPlace(), ""));
  }
  if (const std::string_view status = HttpProblem(head); head_fits && !status.empty()) return turn_away(status);
  if (const auto problem = Problem(head, head_fits, incoming.timeout); problem.has_value()) return turn_away(*problem);
  Method* const method = methods_.Find(head.Find(":path"));
  if (method == nullptr) return turn_away(Says(absl::StatusCode::kUnimplemented, "The broker has no such method."));
  return method->Open(wire_, stream, std::move(incoming));
}

// Whoever asks little is served, whatever others do.
bool Callers::HasItsShare(const Caller& caller) const {
  return caller.connection->session().streams() > std::max(kLeastShare, options_.most_in_all / callers_.size());
}

void Callers::TendSoon() {
  tending_ = wire_.loop.AddTimer(clock_.Monotonic() + (ending_ ? kLookEvery : kTendEvery), [this] { Tend(); });
}

void Callers::Tend() {
  std::vector<const h2::Connection*> all;
  all.reserve(callers_.size());
  for (const auto& [connection, caller] : callers_) all.push_back(connection);
  const absl::Duration now = clock_.Monotonic();
  for (const h2::Connection* const each : all) {
    if (const auto found = callers_.find(each); found != callers_.end()) Tend(*found->second, now);
  }
  if (ending_ && callers_.empty() && wire_.calls == 0) {
    const MutexLock lock(mutex_);
    nobody_left_ = true;
    changed_.notify_all();
  } else {
    TendSoon();
  }
}

// May end it.
void Callers::Tend(Caller& caller, absl::Duration now) {
  const auto connection = caller.connection;
  if (caller.doomed || now >= std::min(caller.asked_at + kAgeGrace, put_out_at_)) return connection->Close();
  h2::Session& session = connection->session();
  if (!caller.asked && now >= caller.asked_at) {
    caller.asked = true;
    session.AnnounceEnd();
  } else if (caller.asked && !caller.ended && now >= caller.asked_at + kNotice) {
    caller.ended = true;
    session.End();
  }
  connection->Tend(now);
  // All handlers are calls: Route makes nothing else.
  session.ForEach([](h2::StreamHandler& handler) { static_cast<GrpcCall&>(handler).Tend(); });
}

void Callers::End(absl::Duration grace) {
  wire_.loop.Post([this, grace] {
    const absl::Duration now = clock_.Monotonic();
    ending_ = true;
    put_out_at_ = now + grace;
    for (auto& [connection, caller] : callers_) caller->asked_at = std::min(caller->asked_at, now);
    wire_.loop.CancelTimer(tending_);
    Tend();
  });
}

void Callers::Wait() {
  const MutexLock lock(mutex_);
  while (!nobody_left_) changed_.wait(mutex_);
}

}  // namespace lmbroker::rpc
