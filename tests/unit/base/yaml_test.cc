#include "service/base/yaml.h"

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lmbroker {
namespace {

using std::string_literals::operator""s;
using ::testing::HasSubstr;

std::string Repeat(std::string_view text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(ParseYamlTest, KeepsOrderLinesAndText) {
  Issues issues("f");
  const auto root = ParseYaml("# first\na: 1\nb:\n  - 'x'\n  - {c: no, d: ~}\n", issues);
  ASSERT_TRUE(root.has_value());
  EXPECT_TRUE(issues.empty());
  ASSERT_EQ(root->kind, YamlNode::Kind::kMap);
  ASSERT_EQ(root->entries.size(), 2U);
  EXPECT_EQ(root->entries[0].key, "a");
  EXPECT_EQ(root->entries[0].line, 2);
  EXPECT_EQ(root->entries[0].value.text, "1");
  EXPECT_FALSE(root->entries[0].value.quoted);
  const YamlNode& list = root->entries[1].value;
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_TRUE(list.items[0].quoted);
  EXPECT_EQ(list.items[0].line, 4);
  EXPECT_EQ(list.items[1].entries[0].value.text, "no");
  EXPECT_EQ(list.items[1].entries[1].value.kind, YamlNode::Kind::kNull);
}

TEST(ParseYamlTest, FileWithoutContentIsNull) {
  for (const std::string_view text : {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "\xEF\xBB\xBF", "   "}) {
    Issues issues("f");
    const auto root = ParseYaml(text, issues);
    ASSERT_TRUE(root.has_value()) << text;
    EXPECT_EQ(root->kind, YamlNode::Kind::kNull) << text;
    EXPECT_TRUE(issues.empty()) << text;
  }
}

TEST(ParseYamlTest, WindowsLineEndsAndByteOrderMarkAreNoProblem) {
  Issues issues("f");
  const auto root = ParseYaml(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: 2\r\n",
      issues);
  ASSERT_TRUE(root.has_value());
  EXPECT_TRUE(issues.empty());
  EXPECT_EQ(root->entries[1].line, 2);
  EXPECT_EQ(root->entries[1].value.text, "2");
}

struct Hostile {
  std::string name;
  std::string text;
  int line;  // 0: whole file; -1: not looked at
  std::string problem;
};
void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class HostileYaml : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileYaml, IsRefusedWithItsPlace) {
  const Hostile& hostile = GetParam();
  Issues issues("f");
  ParseYaml(hostile.text, issues);
  ASSERT_FALSE(issues.empty());
  EXPECT_THAT(issues.all()[0].problem, HasSubstr(hostile.problem));
  if (hostile.line >= 0) {
    EXPECT_EQ(issues.all()[0].line, hostile.line);
  }
  EXPECT_LT(issues.all()[0].problem.size(), 300U);
  for (const char c : issues.all()[0].problem) EXPECT_TRUE(c >= ' ' || c < 0) << static_cast<int>(c);
}

std::string AliasBomb() {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
            Repeat("*a" + std::to_string(i - 1) + ", ", 9) + "]\n";
  }
  return text;
}

std::string DeepBlock(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  return text;
}

std::string ManyKeys(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "k" + std::to_string(i) + ": 1\n";
  return text;
}

const std::vector<Hostile> kHostile = {
    // What lets a file mean something else than it shows.
    {"Anchor", "a: &x 1\n", 1, "anchors"},
    {"AnchorOnKey", "&x a: 1\n", 1, "anchors"},
    {"AnchorOnMap", "a: &x\n  b: 1\n", -1, "anchors"},
    {"AliasAfterAnchor", "a: &x 1\nb: *x\n", 1, "anchors"},
    {"AliasBomb", AliasBomb(), 1, "anchors"},
    {"AliasWithoutAnchor", "a: *x\n", 1, "not YAML"},
    {"AliasAsKey", "*x : 1\n", 1, "not YAML"},
    {"SelfReference", "a: &a [*a]\n", 1, "anchors"},
    {"PythonTag", "a: !!python/object/apply:os.system ['id']\n", 1, "tags"},
    {"StringTag", "a: !!str 1\n", 1, "tags"},
    {"BinaryTag", "a: !!binary aGk=\n", 1, "tags"},
    {"LocalTag", "a: !env HOME\n", 1, "tags"},
    {"VerbatimTag", "a: !<tag:yaml.org,2002:int> 1\n", 1, "tags"},
    {"MapTag", "!!map {a: 1}\n", 1, "tags"},
    {"SetTag", "a: !!set {b}\n", 1, "tags"},
    {"TagDirective", "%TAG ! tag:evil,2000:\n---\na: 1\n", 1, "directives"},
    {"YamlDirective", "%YAML 1.1\n---\na: 1\n", 1, "directives"},
    {"DirectiveAlone", "%a\n", 1, "directives"},
    {"DuplicateKey", "a: 1\nb: 2\na: 3\n", 3, "second time"},
    {"DuplicateKeyQuoted", "a: 1\n\"a\": 3\n", 2, "second time"},
    {"DuplicateKeyEscaped", "a: 1\n\"\\x61\": 3\n", 2, "second time"},
    {"DuplicateKeyDeep", "x:\n  - {a: 1, a: 1}\n", 2, "second time"},
    {"SecondDocument", "a: 1\n---\nb: 2\n", 2, "second document"},
    {"EmptySecondDocument", "a: 1\n---\n", -1, "second document"},
    {"DocumentAfterEnd", "a: 1\n...\nb: 2\n", 3, "second document"},
    {"ManyDocuments", Repeat("---\n", 10000), -1, "second document"},
    {"EscapeAtTheEnd", "a: \"b\\", 1, "not YAML"},      // yaml-cpp's message has the NUL behind it
    {"EndlessDocuments", ",le", 1, "second document"},  // to yaml-cpp: empty documents without end
    {"BidiOverride", "a: x # \xE2\x80\xAE evil\n", 1, "invisible"},
    {"BidiIsolate", "a: x\nb: \xE2\x81\xA6y\n", 2, "invisible"},
    {"LineSeparator", "a: x # \xE2\x80\xA8 b: y\n", 1, "invisible"},
    {"NextLine", "a: x # \xC2\x85 b: y\n", 1, "invisible"},
    {"SecondByteOrderMark",
     "\xEF\xBB\xBF\xEF\xBB\xBF"
     "a: 1\n",
     1, "invisible"},
    {"LoneCarriageReturn", "# comment\ra: 1\n", 1, "control"},
    {"EndOfTransmission",
     "a: 1\n\x04"
     "b: 2\n",
     2, "control"},  // yaml-cpp would stop here, silently
    {"Nul", "a: 1\0b\n"s, 1, "control"},
    {"NulFirst", "\0"s, 1, "control"},
    {"Escape", "a: \x1b[31m\n", 1, "control"},
    {"Delete", "a: \x7f\n", 1, "control"},
    {"VerticalTab", "a:\vb\n", 1, "control"},
    {"TabIndent", "a:\n\tb: 1\n", 2, "tab"},
    {"TabInIndent", "a:\n  \tb: 1\n", 2, "tab"},
    // What is not UTF-8.
    {"Latin1", "a: \xE4\n", 1, "UTF-8"},
    {"Overlong", "a: \xC0\xAF\n", 1, "UTF-8"},
    {"Surrogate", "a: \xED\xA0\x80\n", 1, "UTF-8"},
    {"BeyondUnicode", "a: \xF4\x90\x80\x80\n", 1, "UTF-8"},
    {"CutSequence", "a: \xE2\x82", 1, "UTF-8"},
    {"Utf16LittleEndian",
     "\xFF\xFE"
     "a\0:\0"s,
     1, "UTF-8"},
    {"Utf16BigEndian", "\0a\0:\0 "s, 1, "control"},
    // What is not YAML.
    {"OpenList", "a: [1, 2\n", -1, "not YAML"},
    {"OpenMap", "a: {b: 1\n", -1, "not YAML"},
    {"OpenSingleQuote", "a: 'x\n", -1, "not YAML"},
    {"OpenSingleQuoteBlankLines", "a: 'x\n\n  \n", -1, "not YAML"},
    {"OpenDoubleQuote", "a: \"x\n", -1, "not YAML"},
    {"OpenQuoteSwallowsFile", "a: 'x\nb: y\nc: z\n", -1, "not YAML"},
    {"ExtraBracket", "a: [1]]\n", 1, "not YAML"},
    {"WrongBracket", "a: [1}\n", 1, "not YAML"},
    {"TwoColons", "a: b: c\n", 1, "not YAML"},
    {"BadIndent", "a: 1\n b: 2\n", -1, "not YAML"},
    {"Reserved", "a: @x\n", 1, "not YAML"},
    {"Backtick", "a: `x`\n", 1, "not YAML"},
    {"BadEscape", "a: \"\\q\"\n", 1, "not YAML"},
    {"SurrogateEscape", "a: \"\\uD800\"\n", 1, "not YAML"},
    {"ListAsKey", "? [a]\n: b\n", 1, "word"},
    {"MapAsKey", "? {a: 1}\n: b\n", 1, "word"},
    {"NullKey", ": 1\n", 1, "word"},
    // What is too much.
    {"TooLong", "a: " + std::string(kMostYamlBytes, 'x'), 0, "bytes"},
    {"TooManyValues", "a: [" + Repeat("1,", kMostYamlNodes) + "]", 1, "values"},
    {"TooManyKeys", ManyKeys(2000), 1001, "keys"},
    {"DeepLists", Repeat("[", 33) + Repeat("]", 33), 1, "deeper"},
    {"DeepMaps", Repeat("{a: ", 33) + Repeat("}", 33), 1, "deeper"},
    {"DeepBlock", DeepBlock(40), -1, "deeper"},
    {"VeryDeepBlock", DeepBlock(1000), -1, "deeper"},
    {"ListBomb", Repeat("[", 1 << 19), -1, "deeper"},
    {"MapBomb", Repeat("{a: ", 1 << 17), -1, "not YAML"},
    {"DashBomb", Repeat("- ", 1 << 19), -1, "deeper"},
    {"KeyBomb", Repeat("? ", 1 << 19), -1, ""},
    {"AnchorBomb", Repeat("&a ", 1 << 17), 1, "not YAML"},
    {"TagBomb", Repeat("!", 1 << 19), 1, "not YAML"},
};

INSTANTIATE_TEST_SUITE_P(Table, HostileYaml, ::testing::ValuesIn(kHostile),
                         [](const auto& test) { return test.param.name; });

TEST(ParseYamlTest, DepthAndSizeAtTheLimitAreRead) {
  Issues issues("f");
  EXPECT_TRUE(ParseYaml(Repeat("[", kMostYamlDepth) + Repeat("]", kMostYamlDepth), issues).has_value());
  EXPECT_TRUE(ParseYaml("a: " + std::string(kMostYamlBytes - 3, 'x'), issues).has_value());
  EXPECT_TRUE(issues.empty());
}

TEST(ParseYamlTest, EveryBadLineIsListed) {
  Issues issues("f");
  ParseYaml("a: \x01\nb: 1\nc: \xFF\n\td: 1\n", issues);
  ASSERT_EQ(issues.all().size(), 3U);
  EXPECT_EQ(issues.all()[0].line, 1);
  EXPECT_EQ(issues.all()[1].line, 3);
  EXPECT_EQ(issues.all()[2].line, 4);
}

// Every cut and every changed byte of a real file is read or refused; nothing crashes (the sanitizers watch).
TEST(ParseYamlTest, MutilatedFilesAreReadOrRefused) {
  const std::string file =
      "callers:\n  - name: 'inventory'\n    paths: [\"/a/**\", /b]\n    max: {ttl: 1h}\n  - |\n    x\n";
  for (std::size_t at = 0; at < file.size(); ++at) {
    Issues cut("f");
    EXPECT_TRUE(ParseYaml(file.substr(0, at), cut).has_value() || !cut.empty());
    for (const char c : {'[', ']', '{', '}', '\'', '"', '\n', ':', '-', '&', '*', '!', '|', '#', '%', '\\', '\xFF'}) {
      std::string changed = file;
      changed[at] = c;
      Issues issues("f");
      EXPECT_TRUE(ParseYaml(changed, issues).has_value() || !issues.empty());
    }
  }
}

}  // namespace
}  // namespace lmbroker
