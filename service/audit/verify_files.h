#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "service/audit/verifier.h"

namespace lmbroker::audit {

// Verifies files in their order, the oldest first. NOT_FOUND or FAILED_PRECONDITION when one cannot be read.
absl::StatusOr<Findings> VerifyFiles(const std::vector<std::string>& paths, Verifier::Options options);

}  // namespace lmbroker::audit
