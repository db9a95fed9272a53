#include "service/rpc/authenticate.h"

#include <string_view>
#include <utility>
#include <vector>

#include <grpcpp/security/auth_context.h>

#include "service/base/status_macros.h"
#include "service/identity/certificate.h"

namespace lmbroker::rpc {
namespace {

// gRPC fills these from the verified certificate of the connection. Nothing of a call's own metadata is read here:
// anyone can set that.
constexpr const char* kUriProperty = "peer_uri";
constexpr const char* kDnsProperty = "peer_dns";

std::vector<std::string> ValuesOf(const grpc::AuthContext& context, const char* property) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(property))
    values.emplace_back(value.data(), value.size());
  return values;
}

}  // namespace

absl::StatusOr<Caller> Authenticate(const grpc::ServerContextBase& context, const policy::Engine& engine) {
  const auto connection = context.auth_context();
  if (connection == nullptr) return identity::IdentitiesOf({}).status();  // no TLS, no identity
  ASSIGN_OR_RETURN(const std::vector<std::string> identities,
                   identity::IdentitiesOf({.uris = ValuesOf(*connection, kUriProperty),
                                           .dns_names = ValuesOf(*connection, kDnsProperty)}));
  return engine.Identify(identities, PeerAddress(context));
}

std::string PeerAddress(const grpc::ServerContextBase& context) { return context.peer(); }

}  // namespace lmbroker::rpc
