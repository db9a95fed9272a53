#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/h2/server_tls.h"

namespace lmbroker::app {

// The certificates of a PEM file, at least one, written anew: nothing else that the file may hold.
absl::StatusOr<std::string> ReadCertificateFile(const std::string& path);

// The certificate of `certificate` with its intermediates, and the private key of `key`. An error when OpenSSL would
// not serve with them: the key is not the certificate's, has a passphrase, can be read by others than its owner, or is
// too weak.
absl::StatusOr<h2::ServerIdentity> ReadKeyPair(const std::string& certificate, const std::string& key);

// Whether ReadCertificateFile would take the file.
absl::Status CheckCertificates(const std::string& path);

// Whether ReadKeyPair would take the files.
absl::Status CheckKeyPair(const std::string& certificate, const std::string& key);

}  // namespace lmbroker::app
