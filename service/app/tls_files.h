#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/secret.h"

namespace lmbroker::app {

// The certificates of a PEM file, at least one, written anew: nothing else that the file may hold.
absl::StatusOr<std::string> ReadCertificateFile(const std::string& path);

// The certificate of `certificate` with its intermediates, then the private key of `key`, as one PEM text. An error
// when OpenSSL would not serve with them: the key is not the certificate's, has a passphrase, can be read by others
// than its owner, or is too weak. gRPC refuses every connection with such a pair, so this is asked before it is told of
// them.
absl::StatusOr<Secret> ReadKeyPair(const std::string& certificate, const std::string& key);

// Whether ReadCertificateFile would take the file.
absl::Status CheckCertificates(const std::string& path);

// Whether ReadKeyPair would take the files.
absl::Status CheckKeyPair(const std::string& certificate, const std::string& key);

}  // namespace lmbroker::app
