#include "service/identity/certificate.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/identity_text.h"
#include "service/base/text.h"

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

}  // namespace

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
