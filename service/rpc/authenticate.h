#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/caller.h"
#include "service/h2/request_head.h"
#include "service/identity/standing.h"
#include "service/identity/verdicts.h"
#include "service/policy/engine.h"
#include "service/rpc/incoming.h"

namespace lmbroker::rpc {

// Who makes a call.
struct Authenticated {
  Caller caller;
  std::string certificate_identity;  // beside a token's; empty without a certificate or without a token
};

// The token in the call's metadata (`authorization: Bearer …`), a view that lives as long as the head. Nothing when the
// call has no such metadata; BAD_TOKEN when that is twice there, or something else.
std::optional<absl::StatusOr<std::string_view>> BearerToken(const h2::RequestHead& head);

// Who calls, from the verified client certificate of the connection, the verdict on the call's token (null: tokens do
// not count, or it has none), and the policy in force. With both, the caller is the token's, and both must be good.
// NO_IDENTITY when there is none of them, when one is revoked or not vouched for by the right authority, or when the
// certificate names nobody, or two callers. An identity without a caller in the policy is authenticated, without a
// name.
absl::StatusOr<Authenticated> Authenticate(const Peer& peer, const identity::Verdict* token,
                                           const policy::Engine& engine, identity::Standing& standing);

// Whether who was let in would still be let in by revocations and authorities: OK or NO_IDENTITY.
absl::Status JudgeStanding(const Peer& peer, const identity::Verdict* token, identity::Standing& standing);

}  // namespace lmbroker::rpc
