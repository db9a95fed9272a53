#include "service/base/yaml_message.h"

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "yaml_schema.pb.h"

namespace lmbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The problems of `text`; what was read is in `message`.
std::vector<std::string> Read(std::string_view text, test::Root& message) {
  Issues issues("f");
  ReadYaml(text, message, issues, {{"lmbroker.test.Root.admins", "any"}});
  std::vector<std::string> out;
  for (const Issue& issue : issues.all()) out.push_back(issue.ToString());
  return out;
}

TEST(YamlMessageTest, EveryKindOfFieldIsRead) {
  test::Root message;
  EXPECT_THAT(Read(R"(
text: no
number: -12
flag: true
colour: green
wait: 1h30m
leaf: {name: 'x', size: 0, on: false}
words: [a, "b", 12]
numbers:
  - 1
  - 2147483647
leaves:
  - name: one
  - {size: 2}
named: {acme: {name: z}}
second: s
waits: [250ms]
colours: [RED, Green]
)",
                   message),
              IsEmpty());
  EXPECT_EQ(message.ShortDebugString(),
            "text: \"no\" number: -12 flag: true colour: GREEN wait { seconds: 5400 } leaf { name: \"x\" on: false } "
            "words: \"a\" words: \"b\" words: \"12\" numbers: 1 numbers: 2147483647 leaves { name: \"one\" } "
            "leaves { size: 2 } named { key: \"acme\" value { name: \"z\" } } second: \"s\" waits { nanos: 250000000 } "
            "colours: RED colours: GREEN");
}

TEST(YamlMessageTest, EmptyFileIsTheEmptyMessage) {
  test::Root message;
  EXPECT_THAT(Read("# nothing\n", message), IsEmpty());
  EXPECT_EQ(message.ShortDebugString(), "");
}

TEST(YamlMessageTest, AllProblemsComeAtOnceWithTheirPlaces) {
  test::Root message;
  EXPECT_THAT(
      Read("texd: x\nleaf:\n  nam: y\nnumber: ten\nleaves:\n  - size: 1\n  - size: [2]\n    colour: red\n", message),
      ElementsAre("f:1: texd: unknown key, did you mean text?", "f:3: leaf.nam: unknown key, did you mean name?",
                  "f:4: number: must be a decimal number, -2147483648 to 2147483647",
                  "f:7: leaves[1].size: must be a single value", "f:8: leaves[1].colour: unknown key"));
  EXPECT_EQ(message.ShortDebugString(), "leaf { } leaves { size: 1 } leaves { }");
}

TEST(YamlMessageTest, WordForAListIsTakenOnlyWhereItIsAllowed) {
  test::Root message;
  EXPECT_THAT(Read("admins: any", message), IsEmpty());
  EXPECT_EQ(message.ShortDebugString(), "admins: \"any\"");
  EXPECT_THAT(Read("admins: 32", message), ElementsAre("f:1: admins: must be a list or any"));
  EXPECT_THAT(Read("words: any", message), ElementsAre("f:1: words: must be a list"));
}

struct Wrong {
  std::string name;
  std::string text;
  std::string problem;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class WrongYaml : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongYaml, IsRefused) {
  test::Root message;
  EXPECT_THAT(Read(GetParam().text, message), ElementsAre(HasSubstr(GetParam().problem)));
}

const std::vector<Wrong> kWrong = {
    {"RootIsList", "- a\n", "f: must be a map"},
    {"RootIsScalar", "text\n", "f: must be a map"},
    {"MergeKey", "<<: {text: a}\n", "<<\": merge keys"},
    {"KeyInOtherCase", "Text: a\n", "did you mean text?"},
    {"KeyWithBlank", "'text ': a\n", "\"text \": unknown key"},
    {"EmptyKey", "'': a\n", "\"\": unknown key"},
    {"JsonNameIsNoKey", "{first: {}, kind: 1}\n", "kind: unknown key"},
    {"FarKeyHasNoSuggestion", "elephant: a\n", "elephant: unknown key"},
    {"NullText", "text: ~\n", "text: has no value"},
    {"EmptyText", "text:\n", "text: has no value"},
    {"NullList", "words:\n", "words: has no value"},
    {"NullItem", "words: [a, ~]\n", "words[1]: has no value"},
    {"NullMap", "leaf: null\n", "leaf: has no value"},
    {"TextIsList", "text: [a]\n", "text: must be a single value"},
    {"TextIsMap", "text: {a: b}\n", "text: must be a single value"},
    {"TextHasNul", "text: \"a\\0b\"\n", "text: must be at most"},
    {"TextHasLineBreak", "text: \"a\\nb\"\n", "text: must be at most"},
    {"TextIsBlock", "text: |\n  a\n  b\n", "text: must be at most"},
    {"TextTooLong", "text: " + std::string(4097, 'x'), "text: must be at most"},
    {"NumberIsWord", "number: one\n", "number: must be a decimal"},
    {"NumberIsQuoted", "number: '1'\n", "number: must be a decimal"},
    {"NumberTooLarge", "number: 2147483648\n", "number: must be a decimal"},
    {"NumberTooSmall", "number: -2147483649\n", "number: must be a decimal"},
    {"NumberIsHex", "number: 0x10\n", "number: must be a decimal"},
    {"NumberIsOctal", "number: 010\n", "number: must be a decimal"},
    {"NumberHasPlus", "number: +1\n", "number: must be a decimal"},
    {"NumberIsFloat", "number: 1.0\n", "number: must be a decimal"},
    {"NumberHasExponent", "number: 1e3\n", "number: must be a decimal"},
    {"NumberHasUnderscore", "number: 1_000\n", "number: must be a decimal"},
    {"NumberIsBool", "number: true\n", "number: must be a decimal"},
    {"NumberIsMinus", "number: '-'\n", "number: must be a decimal"},
    {"NumberIsNan", "number: .nan\n", "number: must be a decimal"},
    {"FlagIsYes", "flag: yes\n", "flag: must be true or false"},
    {"FlagIsOn", "flag: on\n", "flag: must be true or false"},
    {"FlagIsOne", "flag: 1\n", "flag: must be true or false"},
    {"FlagIsCapital", "flag: True\n", "flag: must be true or false"},
    {"FlagIsQuoted", "flag: 'true'\n", "flag: must be true or false"},
    {"ColourUnknown", "colour: blue\n", "colour: must be one of RED, GREEN"},
    {"ColourUnspecified", "colour: COLOUR_UNSPECIFIED\n", "colour: must be one of"},
    {"ColourIsNumber", "colour: 1\n", "colour: must be one of"},
    {"WaitWithoutUnit", "wait: 20\n", "wait: must be a duration"},
    {"WaitNegative", "wait: -20s\n", "wait: must be a duration"},
    {"WaitIsMap", "wait: {seconds: 1}\n", "wait: must be a single value"},
    {"WaitsItem", "waits: [1s, x]\n", "waits[1]: must be a duration"},
    {"LeafIsText", "leaf: x\n", "leaf: must be a map"},
    {"LeafIsList", "leaf: [x]\n", "leaf: must be a map"},
    {"ListIsText", "words: a\n", "words: must be a list"},
    {"ListIsMap", "words: {a: b}\n", "words: must be a list"},
    {"ListInList", "words: [[a]]\n", "words[0]: must be a single value"},
    {"LeavesHoldText", "leaves: [a]\n", "leaves[0]: must be a map"},
    {"MapIsList", "named: [a]\n", "named: must be a map"},
    {"MapValueIsText", "named: {acme: x}\n", "named.acme: must be a map"},
    {"MapValueIsNull", "named: {acme: }\n", "named.acme: must be a map"},
    {"MapKeyHasNul", "named: {\"a\\0b\": {}}\n", "must be at most"},
    {"OneofTwice", "first: {}\nsecond: x\n", "f:2: second: cannot stand beside first"},
    {"TypeNotSettable", "ratio: 1.5\n", "ratio: has a type that a file cannot set"},
};

INSTANTIATE_TEST_SUITE_P(Table, WrongYaml, ::testing::ValuesIn(kWrong),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker
