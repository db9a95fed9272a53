#include "service/rpc/authenticate.h"

#include <utility>
#include <vector>

#include <grpcpp/security/auth_context.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/identity/bad_token.h"
#include "service/identity/certificate.h"

namespace lmbroker::rpc {
namespace {

// gRPC fills these from the verified certificate of the connection. Of a call's own metadata only a token counts, which
// proves itself: anyone can set the rest.
constexpr const char* kUriProperty = "peer_uri";
constexpr const char* kDnsProperty = "peer_dns";
constexpr const char* kCertificateProperty = "x509_pem_cert";
constexpr const char* kChainProperty = "x509_pem_cert_chain";
constexpr const char* kTokenKey = "authorization";
constexpr std::string_view kScheme = "Bearer ";

std::string_view ToView(const grpc::string_ref& text) { return {text.data(), text.size()}; }

std::vector<std::string> ValuesOf(const grpc::AuthContext& context, const char* property) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(property)) values.emplace_back(ToView(value));
  return values;
}

// The names of the certificate; nothing when there is none.
std::optional<identity::CertificateNames> NamesOf(const grpc::AuthContext* connection) {
  if (connection == nullptr) return std::nullopt;  // no TLS
  identity::CertificateNames names{.uris = ValuesOf(*connection, kUriProperty),
                                   .dns_names = ValuesOf(*connection, kDnsProperty)};
  if (names.uris.empty() && names.dns_names.empty() && connection->FindPropertyValues(kCertificateProperty).empty()) {
    return std::nullopt;
  }
  return names;
}

// What the certificate proves; empty when there is none.
absl::StatusOr<std::vector<std::string>> CertificateIdentities(const grpc::AuthContext* connection) {
  const auto names = NamesOf(connection);
  if (!names.has_value()) return std::vector<std::string>();
  return identity::IdentitiesOf(*names);
}

std::string_view ValueOf(const grpc::AuthContext& context, const char* property) {
  const auto values = context.FindPropertyValues(property);
  return values.empty() ? std::string_view() : ToView(values.front());
}

absl::Status JudgeStanding(const grpc::AuthContext* connection, const std::vector<std::string>& identities,
                           const identity::Verdict* token, identity::Standing& standing) {
  if (!standing.matters()) return absl::OkStatus();
  if (token != nullptr && token->ok()) RETURN_IF_ERROR(standing.JudgeIdentity((**token)->identity));
  if (identities.empty()) return absl::OkStatus();
  return standing.JudgeCertificate(identities, [connection] {
    return identity::PresentedCertificate{.leaf = ValueOf(*connection, kCertificateProperty),
                                          .chain = ValueOf(*connection, kChainProperty)};
  });
}

absl::Status NoIdentity() {
  return Refuse(Reason::kNoIdentity,
                "The call has no identity; present a client certificate or, where the broker takes them, a service "
                "account token.");
}

}  // namespace

std::optional<absl::StatusOr<std::string_view>> BearerToken(const grpc::ServerContextBase& context) {
  const auto [begin, end] = context.client_metadata().equal_range(kTokenKey);
  if (begin == end) return std::nullopt;
  if (std::next(begin) != end) return identity::BadToken("is not the only one: there are two");
  const std::string_view value = ToView(begin->second);
  if (!EqualsIgnoreCase(value.substr(0, kScheme.size()), kScheme)) {
    return identity::BadToken("does not follow the word Bearer");
  }
  return value.substr(kScheme.size());
}

absl::StatusOr<Authenticated> Authenticate(const grpc::ServerContextBase& context, const identity::Verdict* token,
                                           const policy::Engine& engine, identity::Standing& standing) {
  if (token != nullptr) RETURN_IF_ERROR(token->status());
  const auto connection = context.auth_context();
  ASSIGN_OR_RETURN(const std::vector<std::string> identities, CertificateIdentities(connection.get()));
  RETURN_IF_ERROR(JudgeStanding(connection.get(), identities, token, standing));
  Authenticated who;
  if (token == nullptr) {
    if (identities.empty()) return NoIdentity();
    ASSIGN_OR_RETURN(who.caller, engine.Identify(identities, PeerAddress(context)));
    return who;
  }
  ASSIGN_OR_RETURN(who.caller, engine.Identify({(**token)->identity}, PeerAddress(context)));
  if (identities.empty()) return who;
  ASSIGN_OR_RETURN(Caller certificate, engine.Identify(identities, ""));
  who.certificate_identity = std::move(certificate.identity);
  return who;
}

absl::Status JudgeStanding(const grpc::ServerContextBase& context, const identity::Verdict* token,
                           identity::Standing& standing) {
  const auto connection = context.auth_context();
  ASSIGN_OR_RETURN(const std::vector<std::string> identities, CertificateIdentities(connection.get()));
  return JudgeStanding(connection.get(), identities, token, standing);
}

std::string PeerAddress(const grpc::ServerContextBase& context) { return context.peer(); }

}  // namespace lmbroker::rpc
