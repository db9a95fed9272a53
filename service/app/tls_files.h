#pragma once

#include <string>

#include <absl/status/status.h>

namespace lmbroker::app {

// Whether `path` is a PEM file with at least one certificate that parses.
absl::Status CheckCertificates(const std::string& path);

// Whether `key` is a private key in PEM that only its owner can read, and the one of the first certificate of
// `certificate`. gRPC refuses every connection while they do not match, so this is asked before it is told of them.
absl::Status CheckKeyPair(const std::string& certificate, const std::string& key);

}  // namespace lmbroker::app
