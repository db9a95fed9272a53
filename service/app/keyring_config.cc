#include "service/app/keyring_config.h"

#include "service/crypto/key_ring_file.h"

namespace lmbroker::app {

Config::Keyring ReadKeyring(const config::v1::KeyRing& file, ConfigValues& values) {
  Config::Keyring keyring;
  if (file.has_transit()) {
    values.Later("keyring.transit");
    return keyring;
  }
  if (!values.Require("keyring.file", file.file())) return keyring;
  keyring.file = values.Resolve(file.file());
  values.Check("keyring.file", crypto::CheckKeyRingFile(keyring.file));
  return keyring;
}

}  // namespace lmbroker::app
