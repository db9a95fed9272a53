#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "service/base/names.h"
#include "service/base/secret.h"
#include "service/http/request.h"

namespace lmbroker::sign {
class Signer;
}

namespace lmbroker::http {

// A request ready for the wire: which portal, and the canonical request with its Authorization value. Only the signer
// makes one, so nothing unsigned (and so nothing unauthorised) can be sent. Move-only.
class OutgoingRequest {
 public:
  const PortalName& portal() const { return portal_; }
  const CanonicalRequest& request() const { return *request_; }
  // The value of the Authorization header. Framing writes it into a buffer that is wiped after the send.
  const Secret& authorization() const { return authorization_; }
  // For log correlation at the portal; sent as X-Request-Id unless the caller sent one.
  const std::string& request_id() const { return request_id_; }

 private:
  friend class sign::Signer;
  friend class OutgoingRequestPeer;  // tests/support/outgoing_request_peer.h, for tests of what is below the signer
  OutgoingRequest(PortalName portal, std::shared_ptr<const CanonicalRequest> request, Secret authorization,
                  std::string request_id)
      : portal_(std::move(portal)),
        request_(std::move(request)),
        authorization_(std::move(authorization)),
        request_id_(std::move(request_id)) {}

  PortalName portal_;
  std::shared_ptr<const CanonicalRequest> request_;
  Secret authorization_;
  std::string request_id_;
};

}  // namespace lmbroker::http
