#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/core/token.h"
#include "service/core/token_lookup.h"
#include "service/policy/model.h"
#include "service/store/store.h"

namespace lmbroker::core {

struct NoteUpdate {
  TokenName name;
  std::string note;
  std::vector<std::string> update_mask;  // empty: `note`
};

// The life of a token after its creation. A name is looked up in LM's list before anything is changed: LM's changes do
// not say which type a token is, and grants may be for one type. Safe for concurrent use; the parts must outlive it.
//
// All: NO_GRANT, UNKNOWN_PORTAL, NO_MASTER, UNKNOWN_TOKEN (but Delete), AUDIT_UNAVAILABLE, STORE_UNAVAILABLE, what the
// portal refuses, and for changes OUTCOME_UNKNOWN.
class TokenAdmin {
 public:
  struct Parts {
    PortalSession::Parts portal;
    store::Store& store;
    Custody& custody;
  };

  explicit TokenAdmin(const Parts& parts) : parts_(parts) {}

  absl::StatusOr<Token> Get(CallContext& context, const TokenName& name);

  // The note and nothing else. FIELD_IMMUTABLE for any other path in the mask; FIELD_INVALID on `token.note`.
  absl::StatusOr<Token> UpdateNote(CallContext& context, const NoteUpdate& update);

  // To the wanted status; a repeat is harmless. A credential bound to the token is refused or accepted accordingly from
  // the next call on. CREDENTIAL_DISABLED for enabling it once its lease has ended.
  absl::StatusOr<Token> Toggle(CallContext& context, const TokenName& name, TokenStatus status);

  // At the portal, then here with the credential bound to it. OK when it is gone already.
  absl::Status Delete(CallContext& context, const TokenName& name);

 private:
  absl::StatusOr<FoundToken> Find(CallContext& context, policy::Verb verb, const TokenName& name,
                                  const http::CanonicalRequest& main);
  absl::StatusOr<Token> View(const TokenName& name, portal::LmToken token);

  const Parts parts_;
};

}  // namespace lmbroker::core
