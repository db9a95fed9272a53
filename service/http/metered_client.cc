#include "service/http/metered_client.h"

#include <string>
#include <utility>

namespace lmbroker::http {

void MeteredClient::Send(OutgoingRequest request, SendOptions options, Done done) {
  std::string portal = request.portal().id();
  const absl::Duration start = clock_.Monotonic();
  client_.Send(std::move(request), std::move(options),
               [this, portal = std::move(portal), start, done = std::move(done)](TransferResult result) mutable {
                 const absl::Duration took = clock_.Monotonic() - start;
                 if (result.response.ok()) {
                   metrics_.PortalAnswered(portal, result.response->status, took);
                 } else {
                   metrics_.PortalFailed(portal, took);
                 }
                 done(std::move(result));
               });
}

}  // namespace lmbroker::http
