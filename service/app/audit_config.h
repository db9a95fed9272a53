#pragma once

#include "lmbroker/config/v1/config.pb.h"
#include "service/app/config.h"
#include "service/app/config_values.h"

namespace lmbroker::app {

// The section `audit`; every problem goes into the values' issues.
Config::Audit ReadAudit(const config::v1::Audit& file, ConfigValues& values);

}  // namespace lmbroker::app
