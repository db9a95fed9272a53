#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "service/app/config.h"
#include "service/audit/file.h"
#include "service/audit/sink_log.h"

namespace lmbroker::app {

// The audit log with the sinks that are configured. The file system and the parts must outlive it.
absl::StatusOr<std::unique_ptr<audit::SinkLog>> OpenAudit(const Config::Audit& config, audit::FileSystem& files,
                                                          audit::SinkLog::Parts parts);

}  // namespace lmbroker::app
