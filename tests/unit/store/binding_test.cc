#include "service/store/binding.h"

#include <gtest/gtest.h>

namespace lmbroker::store {
namespace {

TEST(BindingTest, NameVersionAndPurposeAreTheRecords) {
  const PortalName portal = *PortalName::FromId("acme", "portal");
  const CredentialName name = *CredentialName::FromId(portal, "reader", "credential_id");
  const crypto::Binding lmv1 = BindingOf({.name = name, .type = TokenType::kLmv1, .version = 3, .secret = {}});
  EXPECT_EQ(lmv1.credential, name);
  EXPECT_EQ(lmv1.version, 3);
  EXPECT_EQ(lmv1.purpose, crypto::Purpose::kAccessKey);
  const crypto::Binding bearer = BindingOf({.name = name, .type = TokenType::kBearer, .secret = {}});
  EXPECT_EQ(bearer.version, 1);
  EXPECT_EQ(bearer.purpose, crypto::Purpose::kBearerToken);
}

}  // namespace
}  // namespace lmbroker::store
