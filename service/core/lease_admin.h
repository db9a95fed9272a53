#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/base/random.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/page_token.h"
#include "service/core/portal_session.h"
#include "service/store/store.h"

namespace lmbroker::core {

struct LeaseQuery {
  PortalName portal;
  bool stuck_only = false;
  int page_size = 50;
  std::string page_token;
};

struct LeasePage {
  std::vector<store::LeaseRecord> leases;  // by their tokens' admins and ids
  std::string next_page_token;             // empty on the last page
};

// What operators may see of leases, and do to them; Leases does the rest. Safe for concurrent use; the parts must
// outlive it.
//
// All: NO_GRANT, UNKNOWN_PORTAL, AUDIT_UNAVAILABLE, STORE_UNAVAILABLE.
class LeaseAdmin {
 public:
  struct Parts {
    PortalSession::Parts portal;
    store::Store& store;
    Custody& custody;
    Random& random;
  };

  explicit LeaseAdmin(const Parts& parts) : parts_(parts), page_tokens_(parts.random) {}

  // FIELD_INVALID on `page_token`.
  absl::StatusOr<LeasePage> List(CallContext& context, const LeaseQuery& query);

  // Ends the lease now: nothing is signed with the token any more, and it is disabled at the portal, then deleted as at
  // its expiry. One that has ended already is tried again if its next step failed. UNKNOWN_TOKEN if there is no lease;
  // NO_MASTER and others of PortalSession::Begin, with nothing changed; what the portal refuses for good: the lease has
  // ended here, and is stuck; OUTCOME_UNKNOWN, with the token's name, when the portal did not answer: the broker goes
  // on.
  absl::StatusOr<store::LeaseRecord> Revoke(CallContext& context, const TokenName& token);

 private:
  absl::StatusOr<policy::TokenGrant> Authorize(CallContext& context, const PortalName& portal) const;

  const Parts parts_;
  const PageTokens page_tokens_;
};

}  // namespace lmbroker::core
