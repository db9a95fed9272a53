#pragma once

// What several operations on tokens share: the form of a note, and the way from a name to a token.

#include <optional>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/core/portal_session.h"
#include "service/core/token.h"
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

// With what the broker knows of it.
absl::StatusOr<Token> WithCustody(store::Store& store, const PortalName& portal, portal::LmToken token);

// The same for a token whose record is at hand; none for a foreign one.
Token WithRecord(const PortalName& portal, portal::LmToken token, const store::TokenRecord* record);

}  // namespace lmbroker::core
