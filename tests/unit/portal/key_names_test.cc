#include "service/portal/key_names.h"

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

TEST(KeyNamesTest, NamesAreJudgedByTheirEnd) {
  for (const char* name :
       {"accessKey", "access-key", "API_KEY", "dbPassword", "client_secret", "secret", "token", "snmp.community",
        "x.auth", "gcp.serviceAccountKey", "snmp.privToken", "passphrase", "a-p-i-k-e-y", "SECRET_", "x.p_w_d"}) {
    EXPECT_TRUE(IsKeyLike(name)) << name;
  }
  for (const char* name : {"", "key", "pass", "auth", "community", "accessKeyId", "nextPageToken", "secrets", "_", "-",
                           "tokenId", "passwordExpired"}) {
    EXPECT_FALSE(IsKeyLike(name)) << name;
  }
}

}  // namespace
}  // namespace lmbroker::portal
