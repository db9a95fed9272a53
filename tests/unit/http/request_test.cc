#include "service/http/request.h"

#include <zlib.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/inflate.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

using std::string_literals::operator""s;

constexpr RequestLimits kLimits{.body = 1 << 20};

// `window` 15: deflate (zlib), 31: gzip, -15: raw.
std::string Compress(std::string_view text, int window) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string FieldOf(const absl::Status& status) { return MetadataOf(status)["field"]; }

RequestParts Gzipped(std::string body) {
  return {.api = Api::kIngest,
          .method = "POST",
          .path = "/log/ingest",
          .headers = {{"Content-Encoding", "gzip"}},
          .body = std::move(body)};
}

TEST(RequestTest, ManagementCallHasBasePathQueryAndVersionThree) {
  const auto request = CanonicalRequest::Make(
      {.method = "GET", .path = "/device/groups/a b", .query = {{"size", "1"}, {"filter", "x:1"}}}, kLimits);
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->Target(), "/santaba/rest/device/groups/a%20b?size=1&filter=x%3A1");
  EXPECT_EQ(request->path().decoded(), "/device/groups/a b");
  EXPECT_EQ(request->api_version(), 3);
}

TEST(RequestTest, IngestCallHasItsBaseAndNoVersion) {
  const auto request = CanonicalRequest::Make({.api = Api::kIngest, .method = "POST", .path = "/log/ingest"}, kLimits);
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->Target(), "/rest/log/ingest");
  EXPECT_EQ(request->api_version(), std::nullopt);
}

TEST(RequestTest, VersionsAreThoseOfTheApi) {
  for (int version = -1; version <= 6; ++version) {
    const auto management = CanonicalRequest::Make({.method = "GET", .path = "/a", .api_version = version}, kLimits);
    const auto ingest =
        CanonicalRequest::Make({.api = Api::kIngest, .method = "GET", .path = "/a", .api_version = version}, kLimits);
    EXPECT_EQ(management.ok(), version == 0 || (version >= 2 && version <= 4)) << version;
    EXPECT_EQ(ingest.ok(), version >= 0 && version <= 4) << version;
    EXPECT_EQ(FieldOf(management.status()), management.ok() ? "" : "api_version");
  }
}

TEST(RequestTest, MethodIsExact) {
  for (const std::string good : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    const auto request = CanonicalRequest::Make({.method = good, .path = "/a"}, kLimits);
    ASSERT_THAT(request, IsOk());
    EXPECT_EQ(MethodName(request->method()), good);
  }
  for (const std::string& bad :
       std::vector<std::string>{"", "get", "Get", "HEAD", "OPTIONS", "TRACE", "CONNECT", "GET ", " GET", "GET\r\n",
                                "GET\0"s, "GET / HTTP/1.1\r\n\r\nDELETE", "PRI", "PROPFIND", "GÉT"}) {
    const absl::Status status = CanonicalRequest::Make({.method = bad, .path = "/a"}, kLimits).status();
    EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << bad;
    EXPECT_EQ(FieldOf(status), "method");
  }
}

TEST(RequestTest, BodyIsKeptToTheByteAndSignedAsSent) {
  const std::string body = "{\"a\":1}\n\xFF";
  const auto request = CanonicalRequest::Make({.method = "PUT", .path = "/a", .body = body}, kLimits);
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->body(), body);
  EXPECT_EQ(request->signed_body(), body);
}

TEST(RequestTest, BodyWithGetIsRefused) {
  const absl::Status status = CanonicalRequest::Make({.method = "GET", .path = "/a", .body = "{}"}, kLimits).status();
  EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid));
  EXPECT_EQ(FieldOf(status), "body");
}

TEST(RequestTest, BodyAboveTheLimitIsTooLarge) {
  EXPECT_THAT(CanonicalRequest::Make({.method = "POST", .path = "/a", .body = std::string(1 << 20, 'x')}, kLimits),
              IsOk());
  const absl::Status status =
      CanonicalRequest::Make({.method = "POST", .path = "/a", .body = std::string((1 << 20) + 1, 'x')}, kLimits)
          .status();
  EXPECT_THAT(status, RefusedWith(Reason::kBodyTooLarge));
  EXPECT_EQ(MetadataOf(status).at("limit"), "1048576");
}

TEST(RequestTest, PartsAreJudgedTooAndNameTheirField) {
  EXPECT_THAT(CanonicalRequest::Make({.method = "GET", .path = "/a/../b"}, kLimits),
              RefusedWith(Reason::kPathNotPlain));
  EXPECT_THAT(CanonicalRequest::Make({.method = "GET", .path = "/a", .headers = {{"Host", "x"}}}, kLimits),
              RefusedWith(Reason::kHeaderNotAllowed));
  EXPECT_THAT(CanonicalRequest::Make({.method = "GET", .path = "/a", .query = {{"v", "2"}}}, kLimits),
              RefusedWith(Reason::kFieldInvalid));
}

TEST(RequestTest, CompressedBodyIsSentAsItIsAndSignedInflated) {
  const std::string plain = R"([{"message":"hello"}])";
  const auto gzip = CanonicalRequest::Make(Gzipped(Compress(plain, 31)), kLimits);
  ASSERT_THAT(gzip, IsOk());
  EXPECT_EQ(gzip->signed_body(), plain);
  EXPECT_EQ(gzip->body(), Compress(plain, 31));

  RequestParts parts = Gzipped(Compress(plain, 15));
  parts.headers = {{"content-encoding", "DEFLATE"}};
  const auto deflated = CanonicalRequest::Make(std::move(parts), kLimits);
  ASSERT_THAT(deflated, IsOk());
  EXPECT_EQ(deflated->signed_body(), plain);
}

TEST(RequestTest, BodyThatIsNotOneWholeStreamIsRefused) {
  const std::string good = Compress("hello", 31);
  std::string wrong_sum = good;
  wrong_sum[wrong_sum.size() - 8] ^= 1;
  const std::vector<std::string> bad = {
      "",          "{}",      good.substr(0, good.size() - 1), good.substr(0, 5),     good + "x",
      good + good, wrong_sum, Compress("hello", 15),           Compress("hello", -15)};
  for (const std::string& body : bad) {
    const absl::Status status = CanonicalRequest::Make(Gzipped(body), kLimits).status();
    EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid));
    EXPECT_EQ(FieldOf(status), "body");
  }
}

TEST(RequestTest, CompressionBombIsRefused) {
  const std::string bomb = Compress(std::string((1 << 20) + 1, '\0'), 31);
  ASSERT_LT(bomb.size(), 2000U);
  EXPECT_THAT(CanonicalRequest::Make(Gzipped(bomb), kLimits), RefusedWith(Reason::kBodyTooLarge));
  EXPECT_THAT(CanonicalRequest::Make(Gzipped(Compress(std::string(1 << 20, '\0'), 31)), kLimits), IsOk());
}

}  // namespace
}  // namespace lmbroker::http
