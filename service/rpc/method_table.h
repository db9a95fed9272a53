#pragma once

#include <span>
#include <string_view>

namespace lmbroker::rpc {

// Who may call a method at all. What a caller may do with it is policy's to say.
enum class Audience {
  kAnyIdentity,  // every authenticated identity; grants decide in the core
  kOperators,    // callers that the policy marks `operator: true`
};

// What a call may wait for. Each kind has threads of its own, so that a silent portal keeps nobody else waiting.
enum class Work {
  kAsync,   // nothing: its waits hold no thread
  kLocal,   // our own disk
  kPortal,  // a portal
};

// Every RPC once. One that is missing here is refused, however well it is implemented.
struct MethodRow {
  std::string_view name;  // "/lmbroker.v1.TokenService/GetToken"
  Audience audience = Audience::kOperators;
  Work work = Work::kPortal;
};

// Null when the method is not in the table.
const MethodRow* FindMethod(std::string_view name);

std::span<const MethodRow> AllMethods();

}  // namespace lmbroker::rpc
