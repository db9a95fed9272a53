#pragma once

#include "lmbroker/config/v1/config.pb.h"
#include "service/app/config.h"
#include "service/app/config_values.h"

namespace lmbroker::app {

// The section `keyring`. Whether a ring that a passphrase protects opens is not known before there is one.
Config::Keyring ReadKeyring(const config::v1::KeyRing& file, ConfigValues& values);

}  // namespace lmbroker::app
