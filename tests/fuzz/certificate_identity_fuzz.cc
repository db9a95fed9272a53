// Whatever names a certificate has, the identities are such as a policy file could name, and no two SPIFFE IDs.
// The input: URIs, then an empty part, then DNS names, all separated by bytes FF.

#include "service/base/identity_text.h"
#include "service/identity/certificate.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {

LMBROKER_FUZZ_TARGET(input) {
  identity::CertificateNames names;
  bool uris = true;
  for (std::string& part : Split(input)) {
    if (uris && part.empty()) {
      uris = false;
    } else {
      (uris ? names.uris : names.dns_names).push_back(std::move(part));
    }
  }
  const auto identities = identity::IdentitiesOf(names);
  if (!identities.ok()) return RequireRefusal(identities.status(), Reason::kNoIdentity);
  Require(!identities->empty(), "there is one");
  const bool spiffe = identities->front().starts_with("spiffe://");
  Require(!spiffe || identities->size() == 1, "a SPIFFE ID is the only one");
  for (const std::string& each : *identities) {
    Require(IdentityProblem(each).empty(), "a policy file could name it");
    Require(spiffe || each.starts_with("dns:"), "certificates prove nothing else");
  }
  for (const std::string& uri : names.uris) {
    if (uri.starts_with("spiffe:")) Require(spiffe && identities->front() == uri, "the SPIFFE URI is the identity");
  }
}

}  // namespace lmbroker::fuzz
