#pragma once

#include <set>
#include <string>

#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// gRPC's server reflection (v1alpha), from the descriptors that are linked into the program.
class ReflectionService final {
 public:
  // `services`: full names, as they are listed.
  explicit ReflectionService(std::set<std::string, std::less<>> services) : services_(std::move(services)) {}

  void AddTo(Methods& methods);

  grpc::reflection::v1alpha::ServerReflectionResponse AnswerTo(
      const grpc::reflection::v1alpha::ServerReflectionRequest& question) const;

 private:
  const std::set<std::string, std::less<>> services_;
};

}  // namespace lmbroker::rpc
