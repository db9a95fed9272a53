#pragma once

#include <map>

#include "lmbroker/config/v1/config.pb.h"
#include "service/app/config.h"
#include "service/app/config_values.h"

namespace lmbroker::app {

// The `portals` section: where each LM account is, and how it is reached.
std::map<PortalName, Config::Portal> ReadPortals(const config::v1::Config& file, ConfigValues& values);

}  // namespace lmbroker::app
