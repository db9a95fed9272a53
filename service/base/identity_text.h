#pragma once

// The three forms of identity, as certificates prove them and policy files write them. Pure checks of text.

#include <string_view>

namespace lmbroker {

// Whether `text` is the SPIFFE ID of a workload: spiffe://TRUST-DOMAIN/PATH, without query, fragment, port or encoding,
// at most 2048 bytes (SPIFFE-ID, sections 2.1 to 2.3). Exact: the scheme is lower-case, and there is a path.
bool IsSpiffeId(std::string_view text);

// Whether `text` is a plain DNS host name in lower case: letters, digits, inner hyphens; labels to 63 bytes, 253 in
// all; no wildcard, no trailing dot, not an IPv4 address (RFC 1123, section 2.1). IDNs only in their xn-- form.
bool IsDnsName(std::string_view text);

// Whether `text` is NAMESPACE/SERVICEACCOUNT (Kubernetes names: an RFC 1123 label, and a subdomain).
bool IsServiceAccount(std::string_view text);

// What is wrong with an identity as a policy file writes it (spiffe://…, dns:NAME, k8s:NAMESPACE/SERVICEACCOUNT), as
// the end of "The identity …"; empty when nothing is.
std::string_view IdentityProblem(std::string_view text);

}  // namespace lmbroker
