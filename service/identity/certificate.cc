#include "service/identity/certificate.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include "service/base/error.h"
#include "service/base/identity_text.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/identity/pem.h"

namespace lmbroker::identity {
namespace {

constexpr std::size_t kMostNames = 100;

absl::Status NoIdentity(std::string_view problem) {
  return Refuse(
      Reason::kNoIdentity,
      fmt::format("The client certificate {}; present one with a single SPIFFE URI, or with DNS names.", problem));
}

// In any letter case, so that an ill-written one is refused and not passed over.
bool ClaimsSpiffe(std::string_view uri) { return AsciiLower(uri.substr(0, 7)) == "spiffe:"; }

bool IsWildcard(std::string_view name) { return name.starts_with("*.") && IsDnsName(AsciiLower(name.substr(2))); }

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string BytesOf(const ASN1_STRING* text) {
  const auto* const bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
  return {bytes, static_cast<std::size_t>(ASN1_STRING_length(text))};
}

}  // namespace

absl::StatusOr<CertificateNames> NamesOf(std::string_view pem) {
  const auto certificates = ReadCertificates(pem);
  if (!certificates.ok()) return NoIdentity("cannot be read");
  int found = 0;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificates->front().get(), NID_subject_alt_name, &found, nullptr)));
  if (all == nullptr && found != -1) return NoIdentity("has names that cannot be read");  // -1: it has none
  CertificateNames names;
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_URI) names.uris.push_back(BytesOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) names.dns_names.push_back(BytesOf(name->d.dNSName));
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> IdentitiesOf(const CertificateNames& names) {
  if (names.uris.size() + names.dns_names.size() > kMostNames) {
    return NoIdentity(fmt::format("has more than {} names", kMostNames));
  }
  const auto spiffe = std::find_if(names.uris.begin(), names.uris.end(), ClaimsSpiffe);
  if (spiffe != names.uris.end()) {
    if (std::any_of(spiffe + 1, names.uris.end(), ClaimsSpiffe)) return NoIdentity("has two SPIFFE URIs");
    if (!IsSpiffeId(*spiffe)) return NoIdentity("has a malformed SPIFFE URI");
    return std::vector<std::string>{*spiffe};
  }
  std::vector<std::string> identities;
  for (const std::string& dns_name : names.dns_names) {
    if (IsWildcard(dns_name)) continue;
    const std::string name = AsciiLower(dns_name);
    if (!IsDnsName(name)) return NoIdentity("has a DNS name that is no host name");
    identities.push_back("dns:" + name);
  }
  if (identities.empty()) return NoIdentity("names nobody (a common name is no identity)");
  return identities;
}

}  // namespace lmbroker::identity
