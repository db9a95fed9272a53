#include "service/rpc/method_table.h"

#include <algorithm>
#include <array>

namespace lmbroker::rpc {
namespace {

using enum Audience;
using enum Work;

constexpr std::array kMethods = {
    MethodRow{"/lmbroker.v1.ForwardService/Forward", kAnyIdentity, kAsync},
    MethodRow{"/lmbroker.v1.ForwardService/ForwardStream", kAnyIdentity, kAsync},
    MethodRow{"/lmbroker.v1.TokenService/CreateToken", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.TokenService/GetToken", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.TokenService/ListTokens", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.TokenService/UpdateToken", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.TokenService/ToggleToken", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.TokenService/RotateToken", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.TokenService/DeleteToken", kAnyIdentity, kPortal},
    MethodRow{"/lmbroker.v1.PolicyService/ExplainAccess", kAnyIdentity, kLocal},
    MethodRow{"/lmbroker.v1.PolicyService/ExplainSignature", kAnyIdentity, kLocal},
    MethodRow{"/lmbroker.v1.PolicyService/DiffPolicy", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.PolicyService/ListGrants", kAnyIdentity, kLocal},
    MethodRow{"/lmbroker.v1.CredentialService/ImportCredential", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.CredentialService/GetCredential", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.CredentialService/ListCredentials", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.CredentialService/ToggleCredential", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.CredentialService/RotateCredential", kOperators, kPortal},
    MethodRow{"/lmbroker.v1.CredentialService/DeleteCredential", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.CredentialService/ProbeCredential", kOperators, kPortal},
    MethodRow{"/lmbroker.v1.OperatorService/GetStatus", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.OperatorService/Seal", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.OperatorService/Unseal", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.OperatorService/ListLeases", kOperators, kLocal},
    MethodRow{"/lmbroker.v1.OperatorService/RevokeLease", kOperators, kPortal},
};

}  // namespace

const MethodRow* FindMethod(std::string_view name) {
  const auto* const row =
      std::find_if(kMethods.begin(), kMethods.end(), [&](const MethodRow& r) { return r.name == name; });
  return row == kMethods.end() ? nullptr : &*row;
}

std::span<const MethodRow> AllMethods() { return kMethods; }

}  // namespace lmbroker::rpc
