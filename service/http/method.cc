#include "service/http/method.h"

#include <array>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

constexpr std::array kMethods = {Method::kGet, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete};

}  // namespace

absl::StatusOr<Method> ParseMethod(std::string_view name) {
  for (const Method method : kMethods) {
    if (MethodName(method) == name) return method;
  }
  return FieldInvalid("method", fmt::format("must be GET, POST, PUT, PATCH or DELETE, not {}", Excerpt(name)));
}

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
  }
  return "";
}

}  // namespace lmbroker::http
