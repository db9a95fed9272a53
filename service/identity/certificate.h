#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace lmbroker::identity {

// What a verified client certificate says of its owner. Its common name identifies nobody (RFC 6125, section 2.3).
struct CertificateNames {
  std::vector<std::string> uris;       // subject alternative names of type URI
  std::vector<std::string> dns_names;  // subject alternative names of type DNS
};

// The names of a certificate in PEM. NO_IDENTITY when it cannot be read.
absl::StatusOr<CertificateNames> NamesOf(std::string_view pem);

// The identities that the certificate proves, as policy files write them: its one SPIFFE URI ("spiffe://…"), else its
// DNS names ("dns:…", in lower case). NO_IDENTITY when there are two SPIFFE URIs, when one is malformed, when a DNS
// name is none (wildcards, which name a set of hosts and nobody, are passed over), or when no name is left.
absl::StatusOr<std::vector<std::string>> IdentitiesOf(const CertificateNames& names);

}  // namespace lmbroker::identity
