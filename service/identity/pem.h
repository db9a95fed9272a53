#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <openssl/x509.h>

#include "service/crypto/openssl_ptr.h"

namespace lmbroker::identity {

using Certificate = crypto::OpensslPtr<X509, X509_free>;

// The certificates of a PEM text, in order; other PEM blocks are passed over. INVALID_ARGUMENT, as the end of "The file
// …", when there is none, or when one cannot be read.
absl::StatusOr<std::vector<Certificate>> ReadCertificates(std::string_view pem);

// As PEM.
std::string ToPem(const std::vector<Certificate>& certificates);

// In hex, upper case, without leading zeros.
std::string SerialOf(const X509& certificate);

}  // namespace lmbroker::identity
