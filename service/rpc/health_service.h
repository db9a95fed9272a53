#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "grpc/health/v1/health.pb.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// gRPC's health protocol for the whole server and each service; whoever has a TLS connection may ask. On the loop's
// thread, once it serves.
class HealthService final {
 public:
  // `services`: full names.
  explicit HealthService(std::set<std::string, std::less<>> services) : services_(std::move(services)) {}
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  void AddTo(Methods& methods);

  // Everything is NOT_SERVING from now on; who watches is told.
  void StopServing();
  // Ends the watches. Later ones end at once.
  void EndWatches();

 private:
  class Check;
  class Watch;
  template <class Call>
  class CallsOf;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // SERVICE_UNKNOWN when there is no such service; the empty name is the server.
  Status StatusOf(std::string_view service) const;

  const std::set<std::string, std::less<>> services_;
  bool serving_ = true;
  bool ending_ = false;
  std::unordered_set<Watch*> watches_;
};

}  // namespace lmbroker::rpc
