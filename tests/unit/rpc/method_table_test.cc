#include "service/rpc/method_table.h"

#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "lmbroker/v1/credential_service.pb.h"
#include "lmbroker/v1/forward_service.pb.h"
#include "lmbroker/v1/operator_service.pb.h"
#include "lmbroker/v1/policy_service.pb.h"
#include "lmbroker/v1/token_service.pb.h"

namespace lmbroker::rpc {
namespace {

const google::protobuf::FileDescriptor* const kFiles[] = {
    v1::ForwardRequest::descriptor()->file(),          v1::CreateTokenRequest::descriptor()->file(),
    v1::ImportCredentialRequest::descriptor()->file(), v1::ExplainAccessRequest::descriptor()->file(),
    v1::GetStatusRequest::descriptor()->file(),
};

std::set<std::string> DeclaredMethods() {
  std::set<std::string> names;
  for (const auto* file : kFiles) {
    for (int s = 0; s < file->service_count(); ++s) {
      const auto* service = file->service(s);
      for (int m = 0; m < service->method_count(); ++m) {
        names.insert("/" + service->full_name() + "/" + service->method(m)->name());
      }
    }
  }
  return names;
}

TEST(MethodTableTest, EveryDeclaredMethodIsInTheTable) {
  for (const std::string& name : DeclaredMethods()) EXPECT_NE(FindMethod(name), nullptr) << name;
}

TEST(MethodTableTest, TheTableNamesNothingElse) {
  const std::set<std::string> declared = DeclaredMethods();
  for (const MethodRow& row : AllMethods()) EXPECT_TRUE(declared.contains(std::string(row.name))) << row.name;
  EXPECT_EQ(AllMethods().size(), declared.size());
}

TEST(MethodTableTest, OperatorServicesAreForOperators) {
  for (const MethodRow& row : AllMethods()) {
    const bool for_operators = row.name.starts_with("/lmbroker.v1.CredentialService/") ||
                               row.name.starts_with("/lmbroker.v1.OperatorService/") ||
                               row.name == "/lmbroker.v1.PolicyService/DiffPolicy";
    EXPECT_EQ(row.audience == Audience::kOperators, for_operators) << row.name;
  }
}

TEST(MethodTableTest, AMissingMethodIsNotFound) {
  EXPECT_EQ(FindMethod("/lmbroker.v1.TokenService/StealToken"), nullptr);
  EXPECT_EQ(FindMethod(""), nullptr);
}

}  // namespace
}  // namespace lmbroker::rpc
