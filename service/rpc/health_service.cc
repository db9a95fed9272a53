#include "service/rpc/health_service.h"

#include <memory>
#include <optional>
#include <utility>

#include <absl/status/status.h>

namespace lmbroker::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

WireStatus Ended(absl::StatusCode code, std::string_view message) {
  return {.code = static_cast<int>(code), .message = std::string(message)};
}

std::string Said(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  return Framed(response);
}

}  // namespace

template <class Call>
class HealthService::CallsOf final : public Method {
 public:
  explicit CallsOf(HealthService& health) : health_(health) {}
  GrpcCall& Open(Wire& wire, h2::Stream& stream, Incoming incoming) override {
    return *new Call(health_, wire, stream, std::move(incoming));
  }

 private:
  HealthService& health_;
};

class HealthService::Check final : public GrpcCall {
 public:
  Check(HealthService& health, Wire& wire, h2::Stream& stream, Incoming incoming)
      : GrpcCall(wire, stream, std::move(incoming)), health_(health) {}

 private:
  void OnMessage(std::string& message) override {
    request_.ParseFromArray(message.data(), static_cast<int>(message.size()));
  }
  void OnRequestEnd() override {
    const Status status = health_.StatusOf(request_.service());
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
      return Finish(Ended(absl::StatusCode::kNotFound, "The broker has no such service."));
    }
    Send(Said(status));
    Finish({});
  }
  void OnGone() override { Release(); }

  HealthService& health_;
  HealthCheckRequest request_;
};

// Says the status at once and again with each change, until the client leaves or the server ends it.
class HealthService::Watch final : public GrpcCall {
 public:
  Watch(HealthService& health, Wire& wire, h2::Stream& stream, Incoming incoming)
      : GrpcCall(wire, stream, std::move(incoming)), health_(health) {}

  void OnChange() {
    if (busy_) return;
    const Status status = health_.StatusOf(request_.service());
    if (status != said_) {
      said_ = status;
      busy_ = true;
      Send(Said(status));
    } else if (health_.ending_) {
      Finish(Ended(absl::StatusCode::kUnavailable, "The broker is shutting down."));
    }
  }

 private:
  void OnMessage(std::string& message) override {
    request_.ParseFromArray(message.data(), static_cast<int>(message.size()));
  }
  void OnRequestEnd() override {
    health_.watches_.insert(this);
    OnChange();
  }
  void OnRoom() override {
    busy_ = false;
    OnChange();
  }
  void OnGone() override {
    health_.watches_.erase(this);
    Release();
  }

  HealthService& health_;
  HealthCheckRequest request_;
  std::optional<Status> said_;
  bool busy_ = false;  // something is on its way
};

void HealthService::AddTo(Methods& methods) {
  methods.Add("/grpc.health.v1.Health/Check", std::make_unique<CallsOf<Check>>(*this));
  methods.Add("/grpc.health.v1.Health/Watch", std::make_unique<CallsOf<Watch>>(*this));
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
