#include "service/crypto/encoding.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lmbroker::crypto {
namespace {

struct Pair {
  std::string_view bytes;
  std::string_view text;
};

// RFC 4648, section 10, and the digits in which the alphabets differ.
constexpr Pair kBase64[] = {{"", ""},
                            {"f", "Zg=="},
                            {"fo", "Zm8="},
                            {"foo", "Zm9v"},
                            {"foob", "Zm9vYg=="},
                            {"fooba", "Zm9vYmE="},
                            {"foobar", "Zm9vYmFy"},
                            {"\xFB\xEF\xFF", "++//"}};

TEST(Base64Test, VectorsOfTheRfc) {
  for (const auto& [bytes, text] : kBase64) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), std::string(bytes));
    const auto secret = DecodeBase64Secret(text);
    ASSERT_TRUE(secret.has_value()) << text;
    EXPECT_EQ(secret->Reveal(), bytes);
  }
}

TEST(Base64Test, AnythingButTheOneTextOfAValueIsRefused) {
  for (const std::string_view text :
       {"Zg",   "Zg=",  "Zg===", "Zm8",    "Zm8==",      "Zm9v=", "Zm9v====", "=",    "====", "Z===",  "Z",
        "Zh==", "Zm9=", " Zg==", "Zg==\n", "Zm9v\nZg==", "Z g=",  "Zg=g",     "=Zg=", "--__", "Zm9v!", "Zm\xC3\xA9"}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
    EXPECT_FALSE(DecodeBase64Secret(text).has_value()) << text;
  }
  EXPECT_EQ(DecodeBase64(std::string_view("Zg\0=", 4)), std::nullopt);
}

TEST(Base64UrlTest, VectorsWithoutPadding) {
  for (const auto& [bytes, text] :
       {Pair{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"\xFB\xEF\xFF", "--__"}}) {
    EXPECT_EQ(EncodeBase64Url(bytes), text);
    EXPECT_EQ(DecodeBase64Url(text), std::string(bytes));
  }
}

TEST(Base64UrlTest, AnythingButTheOneTextOfAValueIsRefused) {
  for (const std::string_view text : {"Zg==", "Zm8=", "Z", "Zm9vZ", "Zh", "Zm9", "++//", "Zg ", "Zg\n"}) {
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
  }
}

TEST(HexTest, EveryByteInLowerCase) {
  EXPECT_EQ(EncodeHex(std::string_view("\x00\x0F\xA5\xFF", 4)), "000fa5ff");
  EXPECT_EQ(DecodeHex("000fa5ff"), std::string("\x00\x0F\xA5\xFF", 4));
  EXPECT_EQ(DecodeHex(""), std::string());
}

TEST(HexTest, AnythingElseIsRefused) {
  for (const std::string_view text : {"0", "000", "0g", "g0", "FF", "Ff", " ff", "0x", "f f", "\xC3\xA9"}) {
    EXPECT_EQ(DecodeHex(text), std::nullopt) << text;
  }
}

TEST(EncodingTest, EveryByteValueComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)), bytes);
    EXPECT_EQ(DecodeHex(EncodeHex(bytes)), bytes);
  }
}

}  // namespace
}  // namespace lmbroker::crypto
