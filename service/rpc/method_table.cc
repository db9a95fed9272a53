#include "service/rpc/method_table.h"

#include <algorithm>
#include <array>

namespace lmbroker::rpc {
namespace {

using enum Audience;

constexpr std::array kMethods = {
    MethodRow{"/lmbroker.v1.ForwardService/Forward", kAnyIdentity},
    MethodRow{"/lmbroker.v1.TokenService/CreateToken", kAnyIdentity},
    MethodRow{"/lmbroker.v1.TokenService/GetToken", kAnyIdentity},
    MethodRow{"/lmbroker.v1.TokenService/ListTokens", kAnyIdentity},
    MethodRow{"/lmbroker.v1.TokenService/UpdateToken", kAnyIdentity},
    MethodRow{"/lmbroker.v1.TokenService/ToggleToken", kAnyIdentity},
    MethodRow{"/lmbroker.v1.TokenService/DeleteToken", kAnyIdentity},
    MethodRow{"/lmbroker.v1.PolicyService/ExplainAccess", kAnyIdentity},
    MethodRow{"/lmbroker.v1.CredentialService/ImportCredential", kOperators},
    MethodRow{"/lmbroker.v1.CredentialService/GetCredential", kOperators},
    MethodRow{"/lmbroker.v1.CredentialService/ListCredentials", kOperators},
    MethodRow{"/lmbroker.v1.CredentialService/ToggleCredential", kOperators},
    MethodRow{"/lmbroker.v1.CredentialService/DeleteCredential", kOperators},
    MethodRow{"/lmbroker.v1.CredentialService/ProbeCredential", kOperators},
    MethodRow{"/lmbroker.v1.OperatorService/GetStatus", kOperators},
};

}  // namespace

const MethodRow* FindMethod(std::string_view name) {
  const auto* const row =
      std::find_if(kMethods.begin(), kMethods.end(), [&](const MethodRow& r) { return r.name == name; });
  return row == kMethods.end() ? nullptr : &*row;
}

std::span<const MethodRow> AllMethods() { return kMethods; }

}  // namespace lmbroker::rpc
