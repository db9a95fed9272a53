#pragma once

#include <string>
#include <vector>

namespace lmbroker {

// Who calls: an authenticated identity and the caller of the policy file that it belongs to. A value; the edge makes
// one for each call from the facts of its connection.
struct Caller {
  std::string identity;  // "spiffe://…" or "dns:…"; empty when the call has none
  std::string name;      // the policy file's name for it; empty when no caller of the policy has this identity
  std::string peer;      // network address, for the audit only
  bool is_operator = false;
  std::vector<std::string> identities;  // all that it presented, where there are several; else empty
};

}  // namespace lmbroker
