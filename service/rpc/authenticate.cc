#include "service/rpc/authenticate.h"

#include <utility>
#include <vector>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/identity/bad_token.h"

namespace lmbroker::rpc {
namespace {

// Of a call's metadata only a token counts, which proves itself: anyone can set the rest.
constexpr std::string_view kTokenKey = "authorization";
constexpr std::string_view kScheme = "Bearer ";

absl::Status NoIdentity() {
  return Refuse(Reason::kNoIdentity,
                "The call has no identity; present a client certificate or, where the broker takes them, a service "
                "account token.");
}

}  // namespace

std::optional<absl::StatusOr<std::string_view>> BearerToken(const h2::RequestHead& head) {
  const std::size_t count = head.Count(kTokenKey);
  if (count == 0) return std::nullopt;
  if (count > 1) return identity::BadToken("is not the only one: there are two");
  const std::string_view value = head.Find(kTokenKey);
  if (!EqualsIgnoreCase(value.substr(0, kScheme.size()), kScheme)) {
    return identity::BadToken("does not follow the word Bearer");
  }
  return value.substr(kScheme.size());
}

absl::Status JudgeStanding(const Peer& peer, const identity::Verdict* token, identity::Standing& standing) {
  RETURN_IF_ERROR(peer.identities.status());
  if (!standing.matters()) return absl::OkStatus();
  if (token != nullptr && token->ok()) RETURN_IF_ERROR(standing.JudgeIdentity((**token)->identity));
  if (peer.identities->empty()) return absl::OkStatus();
  return standing.JudgeCertificate(*peer.identities, [&peer] {
    return identity::PresentedCertificate{.leaf = peer.certificate, .chain = peer.chain};
  });
}

absl::StatusOr<Authenticated> Authenticate(const Peer& peer, const identity::Verdict* token,
                                           const policy::Engine& engine, identity::Standing& standing) {
  if (token != nullptr) RETURN_IF_ERROR(token->status());
  RETURN_IF_ERROR(JudgeStanding(peer, token, standing));
  Authenticated who;
  if (token == nullptr) {
    if (peer.identities->empty()) return NoIdentity();
    ASSIGN_OR_RETURN(who.caller, engine.Identify(*peer.identities, peer.address));
    return who;
  }
  ASSIGN_OR_RETURN(who.caller, engine.Identify({(**token)->identity}, peer.address));
  if (peer.identities->empty()) return who;
  ASSIGN_OR_RETURN(Caller certificate, engine.Identify(*peer.identities, ""));
  who.certificate_identity = std::move(certificate.identity);
  return who;
}

}  // namespace lmbroker::rpc
