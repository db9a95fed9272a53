#include "service/base/json_object.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

std::string Json(std::string_view text, std::size_t most_bytes = 1000) {
  std::string out;
  AppendJsonString(out, text, most_bytes);
  return out;
}

TEST(JsonStringTest, HoldsAnyTextAsOneLineOfValidJson) {
  using namespace std::string_literals;
  const struct {
    std::string text;
    std::string json;
  } cases[] = {
      {"", R"("")"},
      {"plain /text-7", R"("plain /text-7")"},
      {R"(quote " and \ backslash)", R"("quote \" and \\ backslash")"},
      {"line\nfeed\r\ttab", R"("line\u000afeed\u000d\u0009tab")"},
      {"nul\0inside"s, R"("nul\u0000inside")"},
      {"\x1b[31mred\x7f", R"("\u001b[31mred\u007f")"},
      {"\u0085next line, \u009b31m", R"("\u0085next line, \u009b31m")"},
      {"Zürich 東京 😀", R"("Zürich 東京 😀")"},
      {"\u00a0 is no control", "\"\u00a0 is no control\""},
      {"lone \xff byte", "\"lone \uFFFD byte\""},
      {"cut \xe6\x9d", "\"cut \uFFFD\uFFFD\""},
      {"over-long \xc0\xaf", "\"over-long \uFFFD\uFFFD\""},
      {"surrogate \xed\xa0\x80", "\"surrogate \uFFFD\uFFFD\uFFFD\""},
      {"\",\"decision\":\"allowed", R"("\",\"decision\":\"allowed")"},
  };
  for (const auto& test : cases) EXPECT_EQ(Json(test.text), test.json);
}

TEST(JsonStringTest, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(Json("123456", 6), R"("123456")");
  EXPECT_EQ(Json("1234567", 6), R"("123456…")");
  EXPECT_EQ(Json("12345ü", 6), R"("12345…")");
  EXPECT_EQ(Json("1234ü7", 6), R"("1234ü…")");
  EXPECT_EQ(Json("12345\xff\xff", 6), "\"12345\uFFFD…\"");
  EXPECT_EQ(Json("\n\n\n", 2), R"("\u000a\u000a…")");
}

TEST(TimestampTest, IsRfc3339InUtcWithMicroseconds) {
  std::string out;
  AppendTimestamp(out, absl::FromUnixMicros(1'700'000'000'000'001));
  EXPECT_EQ(out, "2023-11-14T22:13:20.000001Z");
}

TEST(TimestampTest, TimeBeyondFourDigitYearsStaysWellFormed) {
  std::string out;
  AppendTimestamp(out, absl::InfinitePast());
  EXPECT_EQ(out, "0001-01-01T00:00:00.000000Z");
  out.clear();
  AppendTimestamp(out, absl::InfiniteFuture());
  EXPECT_EQ(out, "9999-12-31T23:59:59.999999Z");
}

TEST(JsonObjectTest, WritesMembersInTheirOrder) {
  std::string out = "before ";
  {
    JsonObject object(out);
    object.Text("text", "a\"b");
    object.Integer("integer", std::numeric_limits<std::int64_t>::min());
    object.Unsigned("unsigned", std::numeric_limits<std::uint64_t>::max());
    object.Real("real", 0.5);
    object.Real("not_finite", std::numeric_limits<double>::infinity());
    object.Bool("bool", false);
    object.Time("time", absl::UnixEpoch());
  }
  EXPECT_EQ(out, R"(before {"text":"a\"b","integer":-9223372036854775808,"unsigned":18446744073709551615,"real":0.5,)"
                 R"("not_finite":null,"bool":false,"time":"1970-01-01T00:00:00.000000Z"})");
}

TEST(JsonObjectTest, MayHoldObjects) {
  std::string out;
  {
    JsonObject outer(out);
    {
      JsonObject inner(outer.Object("inner"));
      inner.Bool("deep", true);
    }
    outer.Bool("after", true);
  }
  EXPECT_EQ(out, R"({"inner":{"deep":true},"after":true})");
}

TEST(JsonObjectTest, MayBeEmpty) {
  std::string out;
  {
    const JsonObject object(out);
  }
  EXPECT_EQ(out, "{}");
}

}  // namespace
}  // namespace lmbroker
