#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "service/http/outgoing_request.h"
#include "service/http/request.h"

namespace lmbroker::http {

// Makes outgoing requests for tests of the HTTP client, which sit below the signer. Nothing else may.
class OutgoingRequestPeer {
 public:
  // Of `parts`, which must be good, to `portals/acme`.
  static OutgoingRequest Make(RequestParts parts, std::string_view authorization = "Bearer not-a-real-key",
                              std::string request_id = "0f8fad5b-d9cb-469f-a165-70867728950e",
                              std::string_view portal = "acme") {
    auto request = CanonicalRequest::Make(std::move(parts), {.body = 64 << 20});
    return OutgoingRequest(*PortalName::FromId(portal, "portal"),
                           std::make_shared<const CanonicalRequest>(*std::move(request)), Secret(authorization),
                           std::move(request_id));
  }
  static OutgoingRequest Get(std::string path = "/device/devices") {
    return Make({.method = "GET", .path = std::move(path)});
  }
  static OutgoingRequest Post(std::string body) {
    return Make({.method = "POST", .path = "/device/devices", .body = std::move(body)});
  }
};

}  // namespace lmbroker::http
