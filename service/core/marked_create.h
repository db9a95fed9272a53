#pragma once

// The first phase of every token that the broker makes (design, section 6): LM has no idempotency key and shows the
// secret once, so a token is born disabled, with a unique marker as its note, and one whose secret is lost is found by
// that marker and deleted.

#include <map>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/base/random.h"
#include "service/base/token.h"
#include "service/core/portal_session.h"
#include "service/http/request.h"
#include "service/portal/token_replies.h"

namespace lmbroker::core {

std::string NewMarker(Random& random);
// Whether a note is such a marker, and so no note of anybody's.
bool IsMarker(std::string_view note);

// Sends the POST that portal::CreateToken made for `admin`. An answer that cannot be read is as good as a lost one:
// OUTCOME_UNKNOWN. All of Send.
absl::StatusOr<portal::LmCreatedToken> PostMarked(PortalSession session, http::CanonicalRequest request,
                                                  const AdminName& admin, TokenType type);

// Deletes the tokens of `admin` whose note is the marker; how many there were.
absl::StatusOr<int> DeleteMarked(PortalSession& session, const AdminName& admin, TokenType type,
                                 std::string_view marker);

// Deletes a token at the portal. OK when it is gone already.
absl::Status DeleteAtPortal(PortalSession& session, const TokenName& name);

// After a failure: the portal has answered, so it is no longer at work on the request. A gateway's answer says nothing
// of the portal.
bool HasEnded(const absl::Status& failure);

}  // namespace lmbroker::core
