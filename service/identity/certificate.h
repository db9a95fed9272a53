#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace lmbroker::identity {

// What a verified client certificate says of its owner.
struct CertificateNames {
  std::vector<std::string> uris;       // subject alternative names of type URI
  std::vector<std::string> dns_names;  // subject alternative names of type DNS
  std::string common_name;             // identifies nobody (RFC 6125, section 2.3)
};

// The identities that the certificate proves, as policy files write them: its one SPIFFE URI ("spiffe://…"), else its
// DNS names ("dns:…", in lower case). NO_IDENTITY when there are two SPIFFE URIs, when one is malformed, when a DNS
// name is none (wildcards, which name a set of hosts and nobody, are passed over), or when no name is left.
absl::StatusOr<std::vector<std::string>> IdentitiesOf(const CertificateNames& names);

}  // namespace lmbroker::identity
