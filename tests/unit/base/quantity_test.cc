#include "service/base/quantity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

TEST(ParseDurationTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseDuration("20s"), absl::Seconds(20));
  EXPECT_EQ(ParseDuration("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(ParseDuration("24h"), absl::Hours(24));
  EXPECT_EQ(ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(ParseDuration("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(ParseDuration("0s"), absl::ZeroDuration());
}

TEST(ParseDurationTest, RefusesEverythingElse) {
  for (const std::string_view text :
       {"",       "s",    "20",    "0",  "-1s", "+1s",    "inf", "-inf", "1d",
        "1 s",    " 1s",  "1s ",   "1S", "s1",  "1h-30m", ".5s", "1e3s", "99999999999999999999h",
        "87673h", "1,5s", "twenty"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(ParseSizeTest, ReadsBytesAndBinaryUnits) {
  EXPECT_EQ(ParseSize("0"), 0U);
  EXPECT_EQ(ParseSize("8388608"), 8388608U);
  EXPECT_EQ(ParseSize("64KiB"), 65536U);
  EXPECT_EQ(ParseSize("8MiB"), 8388608U);
  EXPECT_EQ(ParseSize("2GiB"), std::uint64_t{1} << 31);
  EXPECT_EQ(ParseSize("9007199254740992"), std::uint64_t{1} << 53);
}

TEST(ParseSizeTest, RefusesEverythingElse) {
  for (const std::string_view text : {"", "MiB", "8MB", "8M", "8mib", "8 MiB", "-1", "+1", "1.5MiB", "08", "0x10",
                                      "1e6", "9007199254740993", "8388608GiB0", "18446744073709551616", "8388609GiB"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace lmbroker
