#include "service/policy/match.h"

#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

bool Matches(std::string_view pattern, std::string_view path) {
  const auto parsed = PathPattern::Parse(pattern);
  EXPECT_THAT(parsed, IsOk()) << pattern;
  const http::CanonicalPath canonical = Path(path);
  return parsed.ok() && parsed->Matches(canonical.segments());
}

struct Match {
  std::string_view pattern;
  std::string_view path;
  bool matches;
};

TEST(PathPatternTest, WholeSegmentsDecide) {
  for (const Match& match : std::vector<Match>{
           {"/device/devices", "/device/devices", true},
           {"/device/devices", "/device/devices/7", false},
           {"/device/devices", "/device", false},
           {"/device/devices", "/device/devicesX", false},
           {"/device/devices", "/device/device", false},
           {"/device/devices", "/Device/devices", false},
           {"/device/devices", "/device/devices ", false},
           {"/device/*", "/device/devices", true},
           {"/device/*", "/device", false},
           {"/device/*", "/device/devices/7", false},
           {"/device/*/x", "/device/7/x", true},
           {"/device/*/x", "/device/7/y", false},
           {"/device/*/x", "/device/7/8/x", false},
           {"/*", "/a", true},
           {"/*", "/a/b", false},
           {"/*/*", "/a/b", true},
           {"/**", "/a", true},
           {"/**", "/a/b/c", true},
           {"/a/**", "/a", false},
           {"/a/**", "/a/b", true},
           {"/a/**", "/a/b/c/d", true},
           {"/a/**", "/ab", false},
           {"/a/**", "/ab/c", false},
           {"/a/*/**", "/a/b", false},
           {"/a/*/**", "/a/b/c", true},
           {"/a b/\xC3\xBC", "/a b/\xC3\xBC", true},
           {"/a/*", "/a/*", true},
           {"/a/*", "/a/**", true},
           {"/a/b", "/a/*", false},
           {"/a.c", "/abc", false},
       }) {
    EXPECT_EQ(Matches(match.pattern, match.path), match.matches) << match.pattern << " on " << match.path;
  }
}

TEST(PathPatternTest, PatternsThatMeanNothingAreRefused) {
  for (const std::string_view text :
       {"",    "a",      "/",      "//",     "/a/",  "/a//b", "/a/../b", "/a/.", "/**/a", "/a/**/b", "/**/**", "/a*",
        "/*a", "/a/b*c", "/a/***", "/a/**x", "/%61", "/a?b",  "/a#b",    "/a;b", "/a\\b", "/a\nb",   "/\xFF"}) {
    EXPECT_THAT(PathPattern::Parse(text), testing::Not(IsOk())) << text;
  }
}

}  // namespace
}  // namespace lmbroker::policy
