#include "service/core/call_description.h"

#include <string>

#include "service/crypto/digest.h"
#include "service/http/method.h"

namespace lmbroker::core {

void Describe(const http::CanonicalRequest& request, const PortalName& portal, audit::Record& record) {
  record.portal = portal.ToString();
  record.http_method = http::MethodName(request.method());
  record.path = request.path().decoded();
  if (!request.query().encoded().empty()) record.query_digest = crypto::Sha256Hex(request.query().encoded());
  if (!request.body().empty()) record.body_digest = crypto::Sha256Hex(request.body());
}

audit::Durability DurabilityOf(const http::CanonicalRequest& request) {
  const bool changes = request.method() != http::Method::kGet && request.api() == http::Api::kManagement;
  return changes ? audit::Durability::kOnDisk : audit::Durability::kFlushedSoon;
}

}  // namespace lmbroker::core
