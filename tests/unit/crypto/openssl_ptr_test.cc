#include "service/crypto/openssl_ptr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>

namespace lmbroker::crypto {
namespace {

TEST(OpensslPtrTest, ErrorsAreTakenOnce) {
  ERR_clear_error();
  EXPECT_EQ(EVP_MD_fetch(nullptr, "no-such-digest", nullptr), nullptr);
  EXPECT_THAT(TakeOpensslErrors(), testing::HasSubstr("unsupported"));
  EXPECT_EQ(TakeOpensslErrors(), "no details");
}

TEST(OpensslPtrDeathTest, FailedCallEndsTheProcessAndIsNamed) {
  CheckOpenssl(true, "EVP_something");
  EXPECT_DEATH(CheckOpenssl(false, "EVP_something"), "EVP_something failed");
}

}  // namespace
}  // namespace lmbroker::crypto
