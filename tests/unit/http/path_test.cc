#include "service/http/path.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/base/text.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;

TEST(PathTest, PlainPathIsKeptAndSplit) {
  const auto path = CanonicalPath::Parse("/setting/admins/32/apitokens");
  ASSERT_THAT(path, IsOk());
  EXPECT_EQ(path->decoded(), "/setting/admins/32/apitokens");
  EXPECT_EQ(path->encoded(), "/setting/admins/32/apitokens");
  EXPECT_THAT(path->segments(), ElementsAre("setting", "admins", "32", "apitokens"));
}

TEST(PathTest, DefaultPathIsEmpty) {
  EXPECT_EQ(CanonicalPath().decoded(), "");
  EXPECT_TRUE(CanonicalPath().segments().empty());
}

TEST(PathTest, EveryByteButUnreservedOnesAndSlashIsEncoded) {
  const auto path = CanonicalPath::Parse("/a b/\"<>^`{|}!$&'()*+,:=@[]/-._~/Zoë/東京");
  ASSERT_THAT(path, IsOk());
  EXPECT_EQ(path->encoded(),
            "/a%20b/%22%3C%3E%5E%60%7B%7C%7D%21%24%26%27%28%29%2A%2B%2C%3A%3D%40%5B%5D/-._~/Zo%C3%AB/"
            "%E6%9D%B1%E4%BA%AC");
}

TEST(PathTest, LookAlikesOfDotsAndSlashesArePlainLetters) {
  // They are not "." or "/" to anyone who does not first normalise; on the wire they are percent-encoded bytes.
  const std::vector<std::string> paths = {"/…/a", "/．．/a", "/a／b", "/․․",    "/...",
                                          "/.a",  "/a.",     "/..a",  "/~root", "/ "};
  for (const std::string& path : paths) EXPECT_THAT(CanonicalPath::Parse(path), IsOk()) << path;
}

TEST(PathTest, LengthIsLimitedInBytes) {
  EXPECT_THAT(CanonicalPath::Parse("/" + std::string(2047, 'a')), IsOk());
  EXPECT_THAT(CanonicalPath::Parse("/" + std::string(2048, 'a')), RefusedWith(Reason::kPathNotPlain));
}

TEST(PathTest, RefusalShowsNoRawInput) {
  const absl::Status status = CanonicalPath::Parse("/a\r\nX-Evil: 1\x1b[2J").status();
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
  EXPECT_EQ(status.message().find('\x1b'), absl::string_view::npos);
  EXPECT_EQ(MetadataOf(status).at("field"), "path");
}

std::vector<std::string> HostilePaths() {
  std::vector<std::string> paths = {
      // no path at all
      "", "/", "device", "device/devices", "//", "///", "*", ".", "..", " /a", "\t/a", "http://evil.example/a",
      "//evil.example/a", "@evil.example/a", ":8443/a", "\xEF\xBB\xBF/a",
      // percent, once and twice and badly
      "/%", "/a%", "/a%2", "/a%2Fb", "/a%2fb", "/%2e%2e/b", "/%2E%2E/b", "/.%2e/b", "/%252e%252e/b", "/a%00",
      "/a%0d%0ab", "/a%zz", "/%u002e", "/%c0%af", "/%5c", "/a%3Fb", "/a%23b", "/a%20b", "/%61pitokens",
      // query, fragment, parameters
      "/a?b", "/a?", "/?", "/a#b", "/a#", "/a;b=c", "/a;", "/;/a", "/..;/a", "/a?v=1", "/a/?x=../b",
      // backslashes
      "/a\\b", "\\a", "/\\a", "/..\\a", "/a\\..\\b", "\\\\evil.example\\a",
      // empty segments
      "//a", "/a//b", "/a/", "/a/b/", "/a//", "/a///b",
      // dot segments
      "/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/./b", "/a/../b", "/a/../../b", "/a/../apitokens",
      "/../../etc/passwd",
      // control characters
      "/a\n", "/a\r", "/a\r\nb", "/a\tb", "/a\x0b", "/a\x0c", "/a\x1b[0m", "/a\x7f", "/\x01", "/a\x08",
      "/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "/a\xC2\x80", "/a\xC2\x85", "/a\xC2\x9F",
      // not UTF-8: over-long, surrogates, truncated, stray, too high
      "/\xC0\xAE\xC0\xAE/a", "/\xC0\xAF", "/a\xC1\x9C", "/\xE0\x80\xAE", "/\xE0\x80\xAF", "/\xF0\x80\x80\xAF",
      "/\xED\xA0\x80", "/\xED\xBF\xBF", "/\xC3", "/\xE2\x82", "/\xF0\x9F\x98", "/\x80", "/\xBF", "/\xFE", "/\xFF",
      "/\xF4\x90\x80\x80", "/\xF8\x88\x80\x80\x80", "/a\xE9"};
  paths.push_back("/a\0"s);
  paths.push_back("/a\0b"s);
  paths.push_back("\0/a"s);
  paths.push_back("/\0"s);
  return paths;
}

TEST(PathTest, HostilePathIsRefused) {
  for (const std::string& path : HostilePaths()) {
    EXPECT_THAT(CanonicalPath::Parse(path), RefusedWith(Reason::kPathNotPlain)) << Excerpt(path);
  }
}

int Hex(char c) { return c <= '9' ? c - '0' : c - 'A' + 10; }

TEST(PathTest, EncodedFormDecodesToTheDecodedForm) {
  std::uint32_t state = 12345;
  const auto next = [&] { return state = state * 1664525 + 1013904223; };
  const std::vector<std::string> pieces = {"a", "Z",  "0", " ",  "+",  "&",  "=", ":",
                                           "'", "\"", "é", "東", "😀", ".x", "~", "-"};
  for (int round = 0; round < 2000; ++round) {
    std::string literal;
    for (std::uint32_t segments = 1 + (next() >> 16) % 4; segments > 0; --segments) {
      literal += '/';
      for (std::uint32_t n = 1 + (next() >> 16) % 6; n > 0; --n) literal += pieces[(next() >> 16) % pieces.size()];
    }
    const auto path = CanonicalPath::Parse(literal);
    ASSERT_THAT(path, IsOk()) << literal;
    std::string decoded;
    const std::string& encoded = path->encoded();
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      if (encoded[i] == '%') {
        decoded += static_cast<char>(Hex(encoded[i + 1]) * 16 + Hex(encoded[i + 2]));
        i += 2;
      } else {
        decoded += encoded[i];
      }
    }
    EXPECT_EQ(decoded, literal);
  }
}

}  // namespace
}  // namespace lmbroker::http
