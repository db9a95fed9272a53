#pragma once

#include <optional>

#include "lmbroker/config/v1/config.pb.h"
#include "service/app/config.h"
#include "service/app/config_values.h"

namespace lmbroker::app {

// The `identity` section: how callers are known, beyond client certificates.
Config::Identity ReadIdentity(const config::v1::Identity& file, ConfigValues& values);

}  // namespace lmbroker::app
