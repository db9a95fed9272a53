#include "service/base/text.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

using std::string_literals::operator""s;

TEST(ExcerptTest, PrintableTextIsQuoted) {
  EXPECT_EQ(Excerpt(""), "\"\"");
  EXPECT_EQ(Excerpt("plain text ~!"), "\"plain text ~!\"");
}

TEST(ExcerptTest, EverythingElseIsEscaped) {
  EXPECT_EQ(Excerpt("a\"b\\c"), R"("a\x22b\x5cc")");
  EXPECT_EQ(Excerpt("a\r\nb\0c\x7f"s), R"("a\x0d\x0ab\x00c\x7f")");
  EXPECT_EQ(Excerpt("\x1b[31m"), R"("\x1b[31m")");
  EXPECT_EQ(Excerpt("é\xff"), R"("\xc3\xa9\xff")");
}

TEST(ExcerptTest, EveryByteGivesPrintableAscii) {
  for (int byte = 0; byte < 256; ++byte) {
    for (const char c : Excerpt(std::string(1, static_cast<char>(byte)))) {
      EXPECT_TRUE(c >= ' ' && c <= '~') << byte;
    }
  }
}

TEST(ExcerptTest, LongTextIsCutAndSaysSo) {
  EXPECT_EQ(Excerpt(std::string(64, 'a')), "\"" + std::string(64, 'a') + "\"");
  EXPECT_EQ(Excerpt(std::string(65, 'a')), "\"" + std::string(64, 'a') + "\"…");
  EXPECT_LT(Excerpt(std::string(1 << 20, '\xff')).size(), 300U);
}

TEST(Utf8Test, WellFormedText) {
  for (const std::string& text :
       {""s, "ascii"s, "\0"s, "\x7f"s, "\xC2\x80"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s,
        "\xEF\xBF\xBF"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s, "Zoë – 東京 ✓ 😀"s, "\xEF\xBB\xBF"s}) {
    EXPECT_TRUE(IsUtf8(text)) << Excerpt(text);
  }
}

// RFC 3629, section 4: stray and missing continuations, over-long forms, surrogates, values above U+10FFFF.
TEST(Utf8Test, MalformedText) {
  for (const std::string& text : {"\x80"s,
                                  "\xBF"s,
                                  "a\x80"s,
                                  "\xC2"s,
                                  "\xC2\x7F"s,
                                  "\xC2\xC0"s,
                                  "\xC0\x80"s,
                                  "\xC0\xAF"s,
                                  "\xC1\xBF"s,
                                  "\xE0\x80\x80"s,
                                  "\xE0\x9F\xBF"s,
                                  "\xE0\xA0"s,
                                  "\xE0\xA0\x7F"s,
                                  "\xE1\x80"s,
                                  "\xED\xA0\x80"s,
                                  "\xED\xBF\xBF"s,
                                  "\xED\xA0\xBD\xED\xB8\x80"s,
                                  "\xF0\x80\x80\x80"s,
                                  "\xF0\x8F\xBF\xBF"s,
                                  "\xF0\x90\x80"s,
                                  "\xF4\x90\x80\x80"s,
                                  "\xF5\x80\x80\x80"s,
                                  "\xF8\x88\x80\x80\x80"s,
                                  "\xFC\x84\x80\x80\x80\x80"s,
                                  "\xFE"s,
                                  "\xFF"s,
                                  "ok\xC2\xA9\xC2"s,
                                  "\xC2\xA9\xA9"s}) {
    EXPECT_FALSE(IsUtf8(text)) << Excerpt(text);
  }
}

TEST(Utf8Test, SequenceLengthIsThatOfTheFirstCharacter) {
  EXPECT_EQ(Utf8SequenceLength("a\xff"), 1U);
  EXPECT_EQ(Utf8SequenceLength("\xC3\xA9x"), 2U);
  EXPECT_EQ(Utf8SequenceLength("東京"), 3U);
  EXPECT_EQ(Utf8SequenceLength("😀"), 4U);
  EXPECT_EQ(Utf8SequenceLength("\x80"), 0U);
}

TEST(ControlTest, C0AndDelOnly) {
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(HasControl("a" + std::string(1, static_cast<char>(byte))), byte < 0x20 || byte == 0x7f) << byte;
  }
  EXPECT_FALSE(HasControl(""));
}

TEST(AsciiTest, LowerTouchesOnlyAsciiLetters) {
  EXPECT_EQ(AsciiLower("AZaz09[]@`{"), "azaz09[]@`{");
  EXPECT_EQ(AsciiLower("ÄÖ\xC0"), "ÄÖ\xC0");
}

TEST(AsciiTest, EqualityIgnoresOnlyAsciiCase) {
  EXPECT_TRUE(EqualsIgnoreCase("Content-Type", "cONTENT-tYPE"));
  EXPECT_TRUE(EqualsIgnoreCase("", ""));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoreCase("a-b", "a_b"));
  EXPECT_FALSE(EqualsIgnoreCase("\xE4", "\xC4"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`"));
  EXPECT_FALSE(EqualsIgnoreCase("k", "\xE2\x84\xAA"));  // the Kelvin sign folds to k in Unicode
}

TEST(ViewsTest, BothViewsAreOfTheSameBytes) {
  const std::string_view text = "text";
  EXPECT_EQ(ToAbsl(text).data(), text.data());
  EXPECT_EQ(ToStd(ToAbsl(text)), text);
}

}  // namespace
}  // namespace lmbroker
