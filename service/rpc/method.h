#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "service/rpc/grpc_call.h"

namespace lmbroker::rpc {

// One RPC of a service. Must outlive its calls.
class Method {
 public:
  virtual ~Method() = default;
  // Begins a call; it owns itself.
  virtual GrpcCall& Open(Wire& wire, h2::Stream& stream, Incoming incoming) = 0;
};

// All that are served, by their paths ("/lmbroker.v1.TokenService/GetToken").
class Methods {
 public:
  void Add(std::string_view path, std::unique_ptr<Method> method) {
    methods_.insert_or_assign(std::string(path), std::move(method));
  }
  // Null when there is none.
  Method* Find(std::string_view path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : found->second.get();
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const { return std::hash<std::string_view>{}(path); }
  };
  std::unordered_map<std::string, std::unique_ptr<Method>, Hash, std::equal_to<>> methods_;
};

}  // namespace lmbroker::rpc
