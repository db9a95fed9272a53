#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "grpc/health/v1/health.grpc.pb.h"
#include "service/rpc/call_queue.h"

namespace lmbroker::rpc {

// gRPC's health protocol for the whole server and each service; whoever has a TLS connection may ask. Ours and not
// gRPC's default, which would bring the callback API's threads with it. On the queue's thread, once it has its calls.
class HealthService final : public grpc::health::v1::Health::AsyncService {
 public:
  // `services`: full names.
  explicit HealthService(std::set<std::string, std::less<>> services) : services_(std::move(services)) {}

  // Takes calls from `queue` from now on; once, when the server runs.
  void TakeCalls(CallQueue& queue);

  // Everything is NOT_SERVING from now on; who watches is told.
  void StopServing();
  // Ends the watches. Later ones end at once.
  void EndWatches();

 private:
  class Check;
  class Watch;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // SERVICE_UNKNOWN when there is no such service; the empty name is the server.
  Status StatusOf(std::string_view service) const;

  const std::set<std::string, std::less<>> services_;
  bool serving_ = true;
  bool ending_ = false;
  std::unordered_set<Watch*> watches_;
};

}  // namespace lmbroker::rpc
