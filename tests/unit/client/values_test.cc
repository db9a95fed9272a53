#include "client/cli/values.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lmbroker::cli {
namespace {

// What a check says of a text; empty when it is good.
std::string Check(const CLI::Validator& validator, std::string text) { return validator(text); }

TEST(ValuesTest, TokenTypesAreReadInAnyLetterCase) {
  for (const std::string_view text : {"lmv1", "LMV1", "Lmv1"}) EXPECT_EQ(ParseTokenType(text), v1::LMV1);
  for (const std::string_view text : {"bearer", "Bearer", "BEARER"}) EXPECT_EQ(ParseTokenType(text), v1::BEARER);
  for (const std::string_view text : {"", "lmv", "lmv11", "token_type_unspecified", "1"}) {
    EXPECT_EQ(ParseTokenType(text), std::nullopt) << text;
    EXPECT_NE(Check(TokenTypeArgument(), std::string(text)), "") << text;
  }
}

TEST(ValuesTest, DurationsAreMoreThanZero) {
  for (const std::string text : {"2s", "1h30m", "720h", "250ms"})
    EXPECT_EQ(Check(DurationArgument(), text), "") << text;
  for (const std::string text : {"", "0", "0s", "-1s", "2", "2 s", "inf", "1e400h", "2s;", "99999999h"}) {
    EXPECT_NE(Check(DurationArgument(), text), "") << text;
  }
}

TEST(ValuesTest, DurationKeepsItsFraction) {
  const google::protobuf::Duration proto = ToProto(absl::Milliseconds(90'250));
  EXPECT_EQ(proto.seconds(), 90);
  EXPECT_EQ(proto.nanos(), 250'000'000);
}

TEST(ValuesTest, PairIsSplitAtTheFirstSeparator) {
  EXPECT_EQ(ParsePair("filter=a=b", '='), Pair("filter", "a=b"));
  EXPECT_EQ(ParsePair("size=", '='), Pair("size", ""));
  EXPECT_EQ(ParsePair("=b", '='), std::nullopt);
  EXPECT_EQ(ParsePair("size", '='), std::nullopt);
  EXPECT_EQ(ParsePair("", '='), std::nullopt);
}

}  // namespace
}  // namespace lmbroker::cli
