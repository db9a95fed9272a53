#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "service/http/method.h"
#include "service/http/request.h"

namespace lmbroker::portal {

// The pattern under which LM counts a path, as far as it can be told from outside: "/device/devices/7/instances" is
// counted as "/device/devices/{id}/instances". `path` is decoded and starts with a slash.
std::string EndpointPattern(std::string_view path);

// What LM counts a request under, without its pattern being written out: a look-up costs no allocation. `path` is a
// path or a pattern, which is its own pattern; it must outlive this.
struct Endpoint {
  http::Api api = http::Api::kManagement;
  http::Method method = http::Method::kGet;
  std::string_view path;

  static Endpoint Of(const http::CanonicalRequest& request) {
    return {.api = request.api(), .method = request.method(), .path = request.path().decoded()};
  }

  // Equal for all paths of one pattern.
  std::size_t Hash() const;
  // Whether both are counted as one.
  bool IsSame(const Endpoint& other) const;
};

}  // namespace lmbroker::portal
