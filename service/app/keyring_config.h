#pragma once

#include <memory>

#include "lmbroker/config/v1/config.pb.h"
#include "service/app/config.h"
#include "service/app/config_values.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/crypto/key_source.h"

namespace lmbroker::app {

// The section `keyring`. Whether a ring that a passphrase protects opens is not known before there is one.
Config::Keyring ReadKeyring(const config::v1::KeyRing& file, ConfigValues& values);

// Where the keys come from. Clock and random must outlive it.
std::unique_ptr<crypto::KeySource> MakeKeySource(const Config::Keyring& keyring, const Clock& clock, Random& random);

}  // namespace lmbroker::app
