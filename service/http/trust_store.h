#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <openssl/x509_vfy.h>

namespace lmbroker::http {

struct FreeTrustStore {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};

// The certificate authorities that may vouch for a portal. Safe for concurrent use once loaded.
using TrustStore = std::unique_ptr<X509_STORE, FreeTrustStore>;

// Reads the PEM file `ca_file`, or the system's bundle when it is empty. Loaded once and shared by all connections,
// because reading the bundle costs 40 ms, which libcurl would pay (on the event loop) for each connection.
absl::StatusOr<TrustStore> LoadTrustStore(const std::string& ca_file);

}  // namespace lmbroker::http
