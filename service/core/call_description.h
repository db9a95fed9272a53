#pragma once

#include "service/audit/audit_log.h"
#include "service/audit/record.h"
#include "service/base/names.h"
#include "service/http/request.h"

namespace lmbroker::core {

// Puts what the audit says about a request into `record`: portal, method and path as they are, query and body by their
// SHA-256, never their content.
void Describe(const http::CanonicalRequest& request, const PortalName& portal, audit::Record& record);

// A call that may change something waits for the disk: every method but GET on the management API. Ingest is telemetry
// at a high rate, audited like a read (design, section 9).
audit::Durability DurabilityOf(const http::CanonicalRequest& request);

}  // namespace lmbroker::core
