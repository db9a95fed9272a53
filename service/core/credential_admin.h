#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/page_token.h"
#include "service/core/portal_session.h"
#include "service/store/records.h"

namespace lmbroker::core {

struct NewCredential {
  CredentialName name;
  TokenType type = TokenType::kLmv1;
  std::string access_id;  // required for LMv1
  Secret secret;          // an access key; or a Bearer value, with or without the word before it
  std::optional<TokenName> token;
  bool master = false;
};

struct CredentialQuery {
  PortalName portal;
  int page_size = 50;  // 1 to 1000
  std::string page_token;
};

struct CredentialPage {
  std::vector<store::CredentialRecord> credentials;  // without their sealed bytes
  std::string next_page_token;
};

enum class ProbeResult { kWorks, kWrongKeyOrDisabled, kNoPermission, kUnreachable };

struct Probe {
  ProbeResult result = ProbeResult::kUnreachable;
  std::optional<absl::Duration> latency;     // unset when there was no answer
  std::optional<absl::Duration> clock_skew;  // the portal's clock minus ours; unset when the portal did not say
};

// CredentialService: what operators do with the keys that the broker holds. Nothing here gives one out. Safe for
// concurrent use; the parts must outlive it.
//
// All: NO_GRANT (for all but operators), UNKNOWN_PORTAL, AUDIT_UNAVAILABLE, STORE_UNAVAILABLE.
class CredentialAdmin {
 public:
  struct Parts {
    PortalSession::Parts portal;
    Custody& custody;
    Random& random;
  };

  explicit CredentialAdmin(const Parts& parts) : parts_(parts), page_tokens_(parts.random) {}

  // Nothing is sent to the portal. FIELD_INVALID (`access_id`, `secret`, `token`), CREDENTIAL_EXISTS.
  absl::StatusOr<store::CredentialRecord> Import(CallContext& context, NewCredential wanted);

  // UNKNOWN_CREDENTIAL.
  absl::StatusOr<store::CredentialRecord> Get(CallContext& context, const CredentialName& name);

  // By id. FIELD_INVALID (`page_token`).
  absl::StatusOr<CredentialPage> List(CallContext& context, const CredentialQuery& query);

  // Here only; the token at the portal stays as it is. UNKNOWN_CREDENTIAL.
  absl::StatusOr<store::CredentialRecord> Toggle(CallContext& context, const CredentialName& name, TokenStatus status);

  // Here only. Any credential, the portal's master too. OK when it is gone already.
  absl::Status Delete(CallContext& context, const CredentialName& name);

  // One harmless signed GET, whatever the state of the credential or the portal; one that the portal takes ends a
  // quarantine. UNKNOWN_CREDENTIAL; CANCELLED.
  absl::StatusOr<Probe> TryOut(CallContext& context, const CredentialName& name);

 private:
  absl::StatusOr<policy::TokenGrant> Authorize(CallContext& context, const PortalName& portal) const;

  const Parts parts_;
  const PageTokens page_tokens_;
};

}  // namespace lmbroker::core
