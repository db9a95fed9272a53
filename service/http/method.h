#pragma once

#include <string_view>

#include <absl/status/statusor.h>

namespace lmbroker::http {

// The methods of LM's REST API. Nothing else is ever sent.
enum class Method { kGet, kPost, kPut, kPatch, kDelete };

// From its upper-case name; FIELD_INVALID on `method` for anything else.
absl::StatusOr<Method> ParseMethod(std::string_view name);

// "GET" and so on.
std::string_view MethodName(Method method);

}  // namespace lmbroker::http
