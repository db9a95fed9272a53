#include "service/crypto/hmac.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "service/crypto/encoding.h"

namespace lmbroker::crypto {
namespace {

std::string Hmac(std::string_view key, std::string_view message) {
  return EncodeHex(Bytes(HmacSha256(Secret(key), {message})));
}

// RFC 4231, section 4 (case 5 tests truncation, which nobody needs here).
TEST(HmacTest, VectorsOfRfc4231) {
  EXPECT_EQ(Hmac(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(Hmac("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Hmac(std::string(20, '\xaa'), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(Hmac(*DecodeHex("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd')),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(Hmac(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(
      Hmac(std::string(131, '\xaa'),
           "This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
           "be hashed before being used by the HMAC algorithm."),
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(HmacTest, EmptyKeyAndMessageAreValuesLikeOthers) {
  const std::string expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
  EXPECT_EQ(Hmac("", ""), expected);
  Hmac("another key", "in between");
  EXPECT_EQ(Hmac("", ""), expected);
  EXPECT_EQ(EncodeHex(Bytes(HmacSha256(Secret(), {}))), expected);
}

TEST(HmacTest, PiecesAreOneMessageHoweverItIsCut) {
  const Secret key("key");
  const std::string_view message = "POST1700000000000{}/setting/admins";
  const Digest whole = HmacSha256(key, {message});
  for (std::size_t i = 0; i <= message.size(); ++i) {
    EXPECT_EQ(HmacSha256(key, {message.substr(0, i), "", message.substr(i)}), whole) << i;
  }
}

TEST(HmacTest, ThreadsDoNotDisturbOneAnother) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      const std::string key(static_cast<std::size_t>(t) + 1, 'k');
      const std::string expected = Hmac(key, "message");
      for (int i = 0; i < 2000; ++i) ASSERT_EQ(Hmac(key, "message"), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lmbroker::crypto
