#pragma once

#include <memory>
#include <vector>

#include <absl/status/statusor.h>
#include <openssl/ssl.h>

#include "service/crypto/openssl_ptr.h"

namespace lmbroker::h2 {

using Certificate = crypto::OpensslPtr<X509, X509_free>;
using PrivateKey = crypto::OpensslPtr<EVP_PKEY, EVP_PKEY_free>;

// What connections are made with. Safe for concurrent use; a connection keeps the one it began with.
using TlsContext = std::shared_ptr<SSL_CTX>;

// Who the server is.
struct ServerIdentity {
  std::vector<Certificate> chain;  // its own certificate first, then the intermediates
  PrivateKey key;
};

// A context for TLS 1.2 and 1.3 that speaks HTTP/2 and nothing else. Clients are verified by `authorities`, and must
// have a certificate if `require_certificates`. Nothing is resumed: each connection proves anew who it is. An error
// when OpenSSL would not serve so: the key is not the certificate's, or is too weak.
absl::StatusOr<TlsContext> MakeServerContext(const ServerIdentity& identity,
                                             const std::vector<Certificate>& authorities, bool require_certificates);

}  // namespace lmbroker::h2
