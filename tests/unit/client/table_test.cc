#include "client/cli/table.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lmbroker::cli {
namespace {

TEST(PrintableTest, TextForPeopleStaysAsItIs) {
  for (const std::string_view text :
       {"", "plain", "caf\xC3\xA9", "\xE6\x97\xA5\xE6\x9C\xAC", "\xF0\x9F\x94\x91", "a\\b \"c\""}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(PrintableTest, WhatATerminalWouldObeyIsSpelledOut) {
  struct Case {
    std::string_view text;
    std::string_view shown;
  };
  for (const auto& [text, shown] : {
           Case{"\x1b[31mred\x1b[0m", R"(\x1b[31mred\x1b[0m)"},
           {"\x1b]0;title\x07", R"(\x1b]0;title\x07)"},
           {"a\nb\rc\td", R"(a\x0ab\x0dc\x09d)"},
           {std::string_view("a\0b", 3), R"(a\x00b)"},
           {"\x7f", R"(\x7f)"},
           {"\xC2\x9B"
            "31m",
            R"(\xc2\x9b31m)"},  // C1: control sequence introducer
           {"\xE2\x80\xAE"
            "abc",
            R"(\xe2\x80\xaeabc)"},  // right-to-left override
           {"\xE2\x81\xA6"
            "abc",
            R"(\xe2\x81\xa6abc)"},               // isolate
           {"\xE2\x80\xA8", R"(\xe2\x80\xa8)"},  // line separator
           {"\xC0\xAF", R"(\xc0\xaf)"},          // over-long
           {"\xED\xA0\x80", R"(\xed\xa0\x80)"},  // surrogate
           {"\xE6\x97", R"(\xe6\x97)"},          // cut off
           {"\x80\x80"
            "a",
            R"(\x80\x80a)"},                                   // continuation without a start
           {"\xC3\xA9\xFF\xC3\xA9", "\xC3\xA9\\xff\xC3\xA9"},  // between good characters
       }) {
    EXPECT_EQ(Printable(text), shown);
  }
}

TEST(TableTest, ColumnsAreAlignedAndNoLineEndsInSpaces) {
  Table table({"NAME", "NOTE"});
  table.Add({"acme/32/41", "first"});
  table.Add({"b", ""});
  EXPECT_EQ(table.ToString(),
            "NAME        NOTE\n"
            "acme/32/41  first\n"
            "b\n");
}

TEST(TableTest, CharactersAreCountedAndNotBytes) {
  Table table;
  table.Add({"\xC3\xA9\xC3\xA9", "x"});
  table.Add({"ee", "x"});
  EXPECT_EQ(table.ToString(), "\xC3\xA9\xC3\xA9  x\nee  x\n");
}

TEST(TableTest, CellCannotMakeALineOfItsOwn) {
  Table table({"NAME", "NOTE"});
  table.Add({"a", "one\nfaked  row"});
  EXPECT_EQ(table.ToString(), "NAME  NOTE\na     one\\x0afaked  row\n");
}

}  // namespace
}  // namespace lmbroker::cli
