#include "service/base/identity_text.h"

#include <algorithm>
#include <cstddef>

namespace lmbroker {
namespace {

constexpr std::string_view kSpiffeScheme = "spiffe://";
constexpr std::string_view kDnsPrefix = "dns:";
constexpr std::string_view kServiceAccountPrefix = "k8s:";

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsTrustDomainChar(char c) { return IsLower(c) || IsDigit(c) || c == '.' || c == '-' || c == '_'; }
bool IsPathChar(char c) { return IsTrustDomainChar(c) || IsUpper(c); }

bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

// Whether `part` holds for every part of `text` between separators.
template <class Part>
bool EveryPart(std::string_view text, char separator, Part part) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (!part(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

bool IsSpiffeId(std::string_view text) {
  if (text.size() > 2048 || !text.starts_with(kSpiffeScheme)) return false;
  text.remove_prefix(kSpiffeScheme.size());
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view domain = text.substr(0, slash);
  const bool good_domain =
      !domain.empty() && domain.size() <= 255 && std::all_of(domain.begin(), domain.end(), IsTrustDomainChar);
  return good_domain && EveryPart(text.substr(slash + 1), '/', [](std::string_view segment) {
           return !segment.empty() && segment != "." && segment != ".." &&
                  std::all_of(segment.begin(), segment.end(), IsPathChar);
         });
}

bool IsDnsName(std::string_view text) {
  if (text.size() > 253 || !EveryPart(text, '.', IsLabel)) return false;
  const std::string_view last = text.substr(text.rfind('.') + 1);  // npos + 1 == 0: the whole
  return !std::all_of(last.begin(), last.end(), IsDigit);
}

bool IsServiceAccount(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view account = text.substr(slash + 1);
  return IsLabel(text.substr(0, slash)) && account.size() <= 253 && EveryPart(account, '.', IsLabel);
}

std::string_view IdentityProblem(std::string_view text) {
  if (text.starts_with(kDnsPrefix)) {
    return IsDnsName(text.substr(kDnsPrefix.size()))
               ? ""
               : "must be dns: and a plain host name in lower case, without wildcard and trailing dot";
  }
  if (text.starts_with(kServiceAccountPrefix)) {
    return IsServiceAccount(text.substr(kServiceAccountPrefix.size())) ? "" : "must be k8s:NAMESPACE/SERVICEACCOUNT";
  }
  return IsSpiffeId(text) ? "" : "must be spiffe://TRUST-DOMAIN/PATH, dns:NAME or k8s:NAMESPACE/SERVICEACCOUNT";
}

}  // namespace lmbroker
