#pragma once

// What several operations on tokens share: the form of a note, and the way from a name to a token.

#include <optional>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/core/token.h"
#include "service/http/request.h"
#include "service/policy/engine.h"
#include "service/portal/token_replies.h"
#include "service/store/store.h"

namespace lmbroker::core {

// FIELD_INVALID on `field` unless the note is UTF-8 of at most 1024 bytes without control characters.
absl::Status CheckNote(std::string_view note, std::string_view field);

TokenName NameOf(const PortalName& portal, const portal::LmToken& token);

// UNKNOWN_TOKEN, as every operation says it.
absl::Status UnknownToken(const TokenName& name);

// One token of LM's lists; unset when its admin has none with that id, or there is no such admin. Where the broker
// created it, its type says which list to read.
absl::StatusOr<std::optional<portal::LmToken>> FindToken(PortalSession& session, store::Store& store,
                                                         const TokenName& name);

// A token that a caller may use one verb on, or that is not there.
struct FoundToken {
  policy::TokenGrant grant;
  PortalSession session;  // in which it was looked for
  std::optional<portal::LmToken> token;
};

// Authorises, begins the session in which `main` will be sent, and looks the token up. LM's changes do not say which
// type a token is, and grants may be for one type, so this is done before anything is changed. Who may see one type
// alone is not told whether a token of the other exists; but what is gone is deleted, whoever asks.
absl::StatusOr<FoundToken> FindForCaller(const PortalSession::Parts& parts, store::Store& store, Custody& custody,
                                         CallContext& context, policy::Verb verb, const TokenName& name,
                                         const http::CanonicalRequest& main);

// With what the broker knows of it.
absl::StatusOr<Token> WithCustody(store::Store& store, const PortalName& portal, portal::LmToken token);

// The same for a token whose record is at hand; none for a foreign one.
Token WithRecord(const PortalName& portal, portal::LmToken token, const store::TokenRecord* record);

}  // namespace lmbroker::core
