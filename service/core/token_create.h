#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/executor.h"
#include "service/base/names.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/core/token.h"
#include "service/store/store.h"

namespace lmbroker::core {

struct NewToken {
  AdminName parent;
  TokenType type = TokenType::kLmv1;
  std::string note;
  TokenStatus status = TokenStatus::kEnabled;
  std::optional<CredentialName> credential;  // unset: one is derived, "token-32-41"
  bool hand_over = false;
  std::optional<absl::Duration> ttl;  // of its lease; unset: as long as the grant gives
  std::string request_id;             // not possible yet: refused unless empty
};

struct CreatedToken {
  Token token;
  std::optional<Secret> handed_over;  // an access key or Bearer value, only with hand_over
};

// CreateToken, in two phases (design, section 6), because LM has no idempotency key and shows the secret once: a
// durable intent; a disabled token with a unique marker as its note; its secret sealed and stored; then the real note
// and status. Wherever this stops, no enabled token exists whose secret is lost (law 5). Read Create in token_create.cc
// from top to bottom. Safe for concurrent use; the parts must outlive it.
class TokenCreate {
 public:
  struct Parts {
    PortalSession::Parts portal;
    store::Store& store;
    Custody& custody;
    Random& random;
    Executor& background;  // for what is still to be done when the caller's time is up
  };

  explicit TokenCreate(const Parts& parts) : parts_(parts) {}

  // FIELD_INVALID (`token.note`, `credential_id`, `ttl`, `request_id`), NO_GRANT, HAND_OVER_NOT_GRANTED,
  // UNKNOWN_PORTAL, NO_MASTER, CREDENTIAL_EXISTS, AUDIT_UNAVAILABLE, STORE_UNAVAILABLE, UNKNOWN_ADMIN; what the portal
  // refuses; OUTCOME_UNKNOWN, with the token's name as `token` in the metadata where it is known.
  absl::StatusOr<CreatedToken> Create(CallContext& context, NewToken wanted);

 private:
  const Parts parts_;
};

}  // namespace lmbroker::core
