#include "service/portal/json_lexer.h"

#include <string>

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

std::string Tokens(std::string_view text) {
  JsonLexer lexer(text);
  std::string out;
  for (char token = lexer.Next(); token != 0; token = lexer.Next()) {
    out += token == '"' ? "<" + std::string(lexer.string()) + ">" : std::string(1, token);
  }
  return out;
}

TEST(JsonLexerTest, CutsPunctuationAndStrings) {
  const struct {
    std::string text;
    std::string tokens;
  } cases[] = {
      {R"({"a": "b", "c": [1, true, "d"]})", "{<a>:<b>,<c>:[,,<d>]}"},
      {R"("say \"hi\" \\")", R"(<say \"hi\" \\>)"},
      {R"("{[,:]}")", "<{[,:]}>"},
      {"", ""},
      {"no json at all", ""},
      {R"({"cut off)", "{<cut off>"},
      {R"({"cut off\)", R"({<cut off\>)"},
      {"a stray \" quote\n{\"a\":\"b\"}", "!{<a>:<b>}"},
      {std::string("\"a\0: \"c\"", 8), "!:<c>"},
  };
  for (const auto& c : cases) EXPECT_EQ(Tokens(c.text), c.tokens) << c.text;
}

TEST(JsonLexerTest, UnescapesAsRfc8259Says) {
  const struct {
    std::string raw;
    std::string text;
  } cases[] = {
      {"plain", "plain"},
      {R"(\"\\\/\b\f\n\r\t)", "\"\\/\b\f\n\r\t"},
      {R"(\u003d\u003D)", "=="},
      {R"(\u00eb\u6771)", "ë東"},
      {R"(\ud83d\ude00)", "😀"},
      {R"(\ud83d!)", "\xEF\xBF\xBD!"},
      {R"(\u12)", R"(\u12)"},
      {R"(\x)", R"(\x)"},
      {"\\", "\\"},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(Unescaped(c.raw), c.text) << c.raw;
}

}  // namespace
}  // namespace lmbroker::portal
