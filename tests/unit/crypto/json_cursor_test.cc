#include "service/crypto/json_cursor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lmbroker::crypto {
namespace {

using testing::ElementsAre;

bool ReadsAsInteger(std::string_view text, std::uint32_t& value) {
  JsonCursor json(text);
  return json.Integer(value) && json.AtEnd();
}

bool ReadsAsString(std::string_view text, std::string_view& value) {
  JsonCursor json(text);
  return json.String(value) && json.AtEnd();
}

// An object whose fields are all integers.
bool ReadsAsObject(std::string_view text) {
  JsonCursor json(text);
  std::uint32_t value = 0;
  return json.Object([&](std::string_view) { return json.Integer(value); }) && json.AtEnd();
}

bool ReadsAsArray(std::string_view text, std::vector<std::uint32_t>& values) {
  JsonCursor json(text);
  std::uint32_t value = 0;
  const auto read = [&] {
    if (!json.Integer(value)) return false;
    values.push_back(value);
    return true;
  };
  return json.Array(read) && json.AtEnd();
}

TEST(JsonCursorTest, Integers) {
  std::uint32_t value = 1;
  EXPECT_TRUE(ReadsAsInteger("0", value));
  EXPECT_EQ(value, 0U);
  EXPECT_TRUE(ReadsAsInteger(" \t\r\n4294967295 ", value));
  EXPECT_EQ(value, 4294967295U);
  for (const std::string_view text :
       {"", "-1", "+1", "01", "00", "1.0", "1e1", "4294967296", "0x1", "\"1\"", "1 2", "a"}) {
    EXPECT_FALSE(ReadsAsInteger(text, value)) << text;
  }
}

TEST(JsonCursorTest, Strings) {
  std::string_view value;
  EXPECT_TRUE(ReadsAsString(R"( "" )", value));
  EXPECT_EQ(value, "");
  EXPECT_TRUE(ReadsAsString(R"("a b/+=~{}[]")", value));
  EXPECT_EQ(value, "a b/+=~{}[]");
  for (const std::string_view text : {"", "\"", "\"a", "a\"", R"("\"")", R"("\u0041")", "\"\n\"", "\"\x7f\"",
                                      "\"\xC3\xA9\"", "'a'", "\"a\"\"b\"", "null", "1"}) {
    EXPECT_FALSE(ReadsAsString(text, value)) << text;
  }
  EXPECT_FALSE(ReadsAsString(std::string_view("\"a\0b\"", 5), value));
}

TEST(JsonCursorTest, Objects) {
  for (const std::string_view text : {"{}", " { } ", R"({"a":1})", R"({ "a" : 1 , "b" : 2 })"}) {
    EXPECT_TRUE(ReadsAsObject(text)) << text;
  }
  for (const std::string_view text :
       {"", "{", "}", "{,}", R"({"a"})", R"({"a":})", R"({"a":1,})", R"({"a":1 "b":2})", R"({"a":1,"a":1})", R"({a:1})",
        R"({"a":1}})", R"({"a":1} x)", R"([{"a":1}])", R"({"a":"1"})", R"({"a"=1})", R"({"a":1)"}) {
    EXPECT_FALSE(ReadsAsObject(text)) << text;
  }
}

TEST(JsonCursorTest, Arrays) {
  std::vector<std::uint32_t> values;
  EXPECT_TRUE(ReadsAsArray("[]", values));
  EXPECT_TRUE(ReadsAsArray("[1, 2,3 ]", values));
  EXPECT_THAT(values, ElementsAre(1, 2, 3));
  for (const std::string_view text : {"", "[", "]", "[,]", "[1,]", "[1 2]", "[1]]", "{1}", "[[1]]", "[1"}) {
    EXPECT_FALSE(ReadsAsArray(text, values)) << text;
  }
}

TEST(JsonCursorTest, PositionShowsWhereTheTextWentWrong) {
  JsonCursor json(R"({"a": x})");
  std::uint32_t value = 0;
  EXPECT_FALSE(json.Object([&](std::string_view) { return json.Integer(value); }));
  EXPECT_EQ(json.position(), 6U);
}

TEST(JsonCursorTest, SkipsAnyValue) {
  for (const std::string_view value : {"1", "-1.5e3", "null", "true", R"("text")", R"("a \"quoted\" \\")", "{}", "[]",
                                       R"({"a": [1, {"b": "]}"}], "c": null})", "\"\xC3\xA4\""}) {
    const std::string text = std::string(value) + " ,";
    JsonCursor json(text);
    EXPECT_TRUE(json.Skip()) << value;
    EXPECT_EQ(text.find(',', json.position()), text.size() - 1) << value;
  }
}

TEST(JsonCursorTest, SkipsNothingThatDoesNotEnd) {
  const std::string deep(100'000, '[');
  for (const std::string_view text :
       {std::string_view(""), std::string_view(" "), std::string_view("\"a"), std::string_view("\"a\\\""),
        std::string_view("\"\\"), std::string_view("{"), std::string_view("[1, "), std::string_view("]"),
        std::string_view(","), std::string_view(R"({"a")"), std::string_view(deep)}) {
    JsonCursor json(text);
    EXPECT_FALSE(json.Skip()) << text.substr(0, 20);
    EXPECT_LE(json.position(), text.size());
  }
}

}  // namespace
}  // namespace lmbroker::crypto
