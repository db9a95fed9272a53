#include "service/rpc/health_service.h"

#include <optional>

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

namespace lmbroker::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// How many calls of each method may come at once before the queue's thread is back.
constexpr int kAwaited = 4;

class HealthService::Check {
 public:
  static void Await(HealthService& health, CallQueue& queue) { new Check(health, queue); }

 private:
  Check(HealthService& health, CallQueue& queue) : health_(health), queue_(queue) {
    health_.RequestCheck(&context_, &request_, &responder_, queue_.queue(), queue_.queue(), on_arrived_.tag());
  }

  void OnArrived(bool ok) {
    if (!ok) return Delete();
    Await(health_, queue_);
    queue_.Enter();
    const Status status = health_.StatusOf(request_.service());
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
      responder_.FinishWithError({grpc::StatusCode::NOT_FOUND, "The broker has no such service."}, on_finished_.tag());
    } else {
      HealthCheckResponse response;
      response.set_status(status);
      responder_.Finish(response, grpc::Status::OK, on_finished_.tag());
    }
  }
  void OnFinished(bool) {
    queue_.Leave();
    Delete();
  }
  void Delete() { delete this; }

  HealthService& health_;
  CallQueue& queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncResponseWriter<HealthCheckResponse> responder_{&context_};
  EventOf<Check, &Check::OnArrived> on_arrived_{*this};
  EventOf<Check, &Check::OnFinished> on_finished_{*this};
};

// Says the status at once and again with each change, until the client leaves or the server ends it.
class HealthService::Watch {
 public:
  static void Await(HealthService& health, CallQueue& queue) { new Watch(health, queue); }

  void OnChange() {
    if (busy_ || over_) return;
    const Status status = health_.StatusOf(request_.service());
    if (status != said_) {
      said_ = status;
      HealthCheckResponse response;
      response.set_status(status);
      busy_ = true;
      writer_.Write(response, on_written_.tag());
    } else if (health_.ending_) {
      over_ = true;
      busy_ = true;
      writer_.Finish({grpc::StatusCode::UNAVAILABLE, "The broker is shutting down."}, on_written_.tag());
    }
  }

 private:
  Watch(HealthService& health, CallQueue& queue) : health_(health), queue_(queue) {
    context_.AsyncNotifyWhenDone(on_done_.tag());
    health_.RequestWatch(&context_, &request_, &writer_, queue_.queue(), queue_.queue(), on_arrived_.tag());
  }

  void OnArrived(bool ok) {
    if (!ok) return Delete();
    Await(health_, queue_);
    queue_.Enter();
    health_.watches_.insert(this);
    OnChange();
  }
  void OnWritten(bool) {
    busy_ = false;
    done_ ? Leave() : OnChange();
  }
  void OnDone(bool) {
    done_ = true;
    over_ = true;
    if (!busy_) Leave();
  }
  void Leave() {
    health_.watches_.erase(this);
    queue_.Leave();
    Delete();
  }
  void Delete() { delete this; }

  HealthService& health_;
  CallQueue& queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_{&context_};
  std::optional<Status> said_;
  bool busy_ = false;  // gRPC has something to send
  bool over_ = false;  // nothing more is to be sent
  bool done_ = false;  // the client has left, or the answer is out
  EventOf<Watch, &Watch::OnArrived> on_arrived_{*this};
  EventOf<Watch, &Watch::OnWritten> on_written_{*this};
  EventOf<Watch, &Watch::OnDone> on_done_{*this};
};

void HealthService::TakeCalls(CallQueue& queue) {
  for (int i = 0; i < kAwaited; ++i) {
    Check::Await(*this, queue);
    Watch::Await(*this, queue);
  }
}

void HealthService::StopServing() {
  serving_ = false;
  for (Watch* const watch : watches_) watch->OnChange();
}

void HealthService::EndWatches() {
  ending_ = true;
  for (Watch* const watch : watches_) watch->OnChange();
}

HealthService::Status HealthService::StatusOf(std::string_view service) const {
  if (!service.empty() && !services_.contains(service)) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace lmbroker::rpc
