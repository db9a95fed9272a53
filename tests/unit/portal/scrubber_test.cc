// Replies that come in pieces.

#include <zlib.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/portal/scrub.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::portal {
namespace {

constexpr std::string_view kKey = "lma_Invented(Key)For{Tests}=0123456789+^~";
constexpr std::string_view kSignature =
    "Zjg4YTZhNWNjYmM2ZDQwMzc3ODgxMGQxNDI1OWJlNDUwMTkxOTcxZGUxOWY0NGVkN2Y3MjQyNmNjZTU3NmY5Ng==";
constexpr std::size_t kMost = std::size_t{64} << 20;

const SecretForms& Forms() {
  static const SecretForms forms{Secret(kKey)};
  return forms;
}

std::string Whole(std::string body) {
  http::Response reply{.status = 200, .headers = {}, .body = std::move(body)};
  const absl::Status status = ScrubReply(reply, Forms(), kMost);
  return status.ok() ? reply.body : "refused";
}

// In pieces of at most so many bytes each.
template <class NextSize>
std::string InPieces(std::string_view body, NextSize next_size, std::vector<http::NameValue> headers = {}) {
  http::Response head{.status = 200, .headers = std::move(headers), .body = ""};
  Scrubber scrubber(head, Forms());
  std::string out;
  while (!body.empty()) {
    const std::size_t size = std::min<std::size_t>(body.size(), next_size());
    if (!scrubber.Feed(body.substr(0, size), out).ok()) return "refused";
    body.remove_prefix(size);
  }
  return scrubber.Finish(out).ok() ? out : "refused";
}

std::string Gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::vector<http::NameValue> kGzipped = {{"Content-Encoding", "gzip"}};

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  return out;
}

// Bodies in which every rule has something to do, also where it must not.
std::vector<std::string> Bodies() {
  const std::string key(kKey);
  const std::string signature = "LMv1 aB3dE5fG7hJ9kL2mN4pQ:" + std::string(kSignature) + ":1700000000000";
  return {
      "",
      R"({"total":2,"items":[{"name":"web-1","customProperties":[{"name":"env","value":"prod"}]}]})",
      R"({"accessKey":"lma_x","id":1,"ACCESS_KEY" : "x","access\u004bey":"y","p":"q"})",
      R"({"password":"p\"w\\","note":"n","apiTokens":[{"accessKey":"lmb_****"}],"secret":"***","passwd":""})",
      R"({"clientSecret":["a","b",["c"]],"x":["c"],"y":{"token":["t",{"a":"b"}]}})",
      R"({"value":"hunter2","type":"t","name":"SNMP.community","more":{"value":"v","name":"location"}})",
      R"([{"name":"ssh.pass","value":"x","value":"y"},{"value":"1","value":"2","name":"aws.secretkey"}])",
      R"({"value":"in the open","other":{"value":"deep","in":{"name":"ssh.pass","value":"z"}}})",
      "<p>" + key + "</p>" + key + key + "x" + key.substr(0, 30),
      R"({"note":"see )" + Escaped(key) + R"(, and lma_Invented(Key)For{Tests}\u003d0123456789+^~!","n":"\n\\\/"})",
      R"({")" + Escaped(key) + R"(":"name","x":")" + std::string(50, '\\') + Escaped(key) + "\"}",
      "\"out of step\n" + Escaped(key) + "\", " + Escaped(key.substr(0, 20)) + key.substr(20) + "\\",
      signature + signature + "\n",
      "Authorization: " + signature + "\nLMv1 tokens; LMv1 LMv1 id:short:1 LMv1 " + std::string(300, 'a') + ":" +
          std::string(kSignature),
      "a stray \" quote\n{\"accessKey\":\"cut\nby a line\",\"token\":\"cut off",
      R"(}}]]{"accessKey":"x"}}})",
      std::string("\0\x01\xff binary \" \\ \"", 16),
  };
}

TEST(ScrubberTest, EverySplitInTwoGivesWhatTheWholeGives) {
  for (const std::string& body : Bodies()) {
    const std::string whole = Whole(body);
    for (std::size_t first = 1; first < body.size(); ++first) {
      std::size_t size = first;
      ASSERT_EQ(InPieces(body, [&] { return std::exchange(size, body.size()); }), whole) << body << " at " << first;
    }
  }
}

TEST(ScrubberTest, SinglesBytesGiveWhatTheWholeGives) {
  for (const std::string& body : Bodies()) EXPECT_EQ(InPieces(body, [] { return 1U; }), Whole(body)) << body;
}

TEST(ScrubberTest, RandomTextsInRandomPiecesGiveWhatTheWholeGives) {
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same texts every time
  const std::string key(kKey);
  const std::vector<std::string> parts = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          ":",
                                          ",",
                                          "\"",
                                          "\\",
                                          "\n",
                                          "\"name\":",
                                          "\"value\":",
                                          "\"password\":",
                                          "\"ssh.pass\"",
                                          "\"v\"",
                                          "\"****\"",
                                          "*",
                                          key,
                                          key.substr(0, 20),
                                          key.substr(20),
                                          Escaped(key),
                                          Escaped(key.substr(0, 20)),
                                          "LMv1 ",
                                          "LMv1 id:" + std::string(kSignature),
                                          std::string(500, 'a'),
                                          std::string(1100, 'b'),
                                          std::string(20'000, 'c'),
                                          "some text "};
  for (int round = 0; round < 1500; ++round) {
    std::string body;
    for (std::size_t i = 0; i < 40; ++i) body += parts[random() % (round % 8 == 0 ? parts.size() : parts.size() - 4)];
    const std::size_t most = 1 + random() % (round % 2 == 0 ? 50 : 5000);
    ASSERT_EQ(InPieces(body, [&] { return 1 + random() % most; }), Whole(body)) << "round " << round;
  }
}

TEST(ScrubberTest, LongStringsInPiecesGiveWhatTheWholeGives) {
  const std::string key(kKey);
  const std::string filler(100'000, 'x');
  const std::string stars(100'000, '*');
  const std::string lines = [] {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "line\\n";
    return text;
  }();
  const std::string bodies[] = {
      R"({"password":")" + filler + R"(","note":")" + filler + R"("})",
      R"({"password":")" + stars + R"(","note":")" + stars + R"("})",
      R"({")" + filler + R"(":"x","n":"y"})",
      R"({"name":")" + filler + R"(","value":"y"})",
      R"({"value":")" + filler + R"(","name":"location"})",
      R"({"name":"location","value":")" + filler + R"("})",
      R"({"value":"v","filler":")" + filler + R"(","name":"location"})",
      R"({"name":"location","value":"v","filler":")" + filler + R"(","name":"ssh.pass"})",
      R"({"note":")" + lines + Escaped(key) + lines + Escaped(key) + R"("})",
      "LMv1 id:" + std::string(kSignature) + filler + " " + filler,
  };
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same pieces every time
  for (const std::string& body : bodies) {
    const std::string whole = Whole(body);
    for (const unsigned most : {7U, 4096U, 70'000U}) {
      ASSERT_TRUE(InPieces(body, [&] { return 1 + random() % most; }) == whole) << body.substr(0, 30) << " " << most;
    }
  }
  EXPECT_EQ(Whole(bodies[0]), R"({"password":"****","note":")" + filler + R"("})");
  EXPECT_EQ(Whole(bodies[4]), R"({"value":"****","name":"location"})");
  EXPECT_EQ(Whole(bodies[5]), bodies[5]);
  EXPECT_EQ(Whole(bodies[8]), R"({"note":")" + lines + "****" + lines + R"(****"})");
}

TEST(ScrubberTest, CleanTextIsHandedOnAtOnceButForTheLengthOfAForm) {
  http::Response head{.status = 200, .headers = {}, .body = ""};
  Scrubber scrubber(head, Forms());
  std::string out;
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = R"({"id":1,"name":"web","displayName":"web"},)" + std::string(1000, ' ');
    ASSERT_TRUE(scrubber.Feed(piece, out).ok());
    sent += piece.size();
    ASSERT_LT(sent - out.size(), 200U);
  }
}

// Whatever a portal sends, no more than 64 KiB and a piece wait.
TEST(ScrubberTest, HoldsLittleOfWhatIsUndecided) {
  const std::string starts[] = {
      R"({"value":"x")", R"({"value":"xxx)", R"({"password":"***)",         R"({"a)", R"({"name":")",
      R"({"note":"\n)",  "LMv1 a",           R"([[[[[[[{"value":"x","b":[)"};
  for (const std::string& start : starts) {
    http::Response head{.status = 200, .headers = {}, .body = ""};
    Scrubber scrubber(head, Forms());
    std::string out;
    ASSERT_TRUE(scrubber.Feed(start, out).ok());
    std::size_t quiet = 0;  // since the last byte came out
    for (int i = 0; i < 500; ++i) {
      const std::size_t before = out.size();
      ASSERT_TRUE(scrubber.Feed(std::string(1000, i % 2 == 0 ? '*' : 'x'), out).ok());
      quiet = out.size() == before ? quiet + 1000 : 0;
    }
    const bool hidden = start.find("password") != std::string::npos || start.find("xxx") != std::string::npos;
    if (hidden) {
      EXPECT_LT(out.size(), 100U) << start;
    } else {
      EXPECT_LT(quiet, 70'000U) << start;
    }
  }
}

TEST(ScrubberTest, CompressedPiecesAreInflated) {
  std::string body;
  for (int i = 0; i < 5000; ++i) body += R"({"accessKey":"x","n":1},)";
  std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): the same pieces every time
  EXPECT_EQ(InPieces(Gzip(body), [&] { return 1 + random() % 50; }, kGzipped), Whole(body));
  EXPECT_EQ(InPieces(Gzip(""), [] { return 1U; }, kGzipped), "");
  EXPECT_EQ(InPieces("", [] { return 1U; }, kGzipped), "");

  http::Response head{.status = 200, .headers = {{"Content-Encoding", "gzip"}, {"Content-Type", "t"}}, .body = ""};
  const Scrubber scrubber(head, Forms());
  EXPECT_EQ(head.headers, (std::vector<http::NameValue>{{"Content-Type", "t"}}));
}

TEST(ScrubberTest, CutOrProlongedCompressedBodiesAreRefused) {
  const std::string good = Gzip(R"({"accessKey":"x"})");
  for (std::size_t size = 1; size < good.size(); ++size) {
    EXPECT_EQ(InPieces(good.substr(0, size), [] { return 5U; }, kGzipped), "refused") << size;
  }
  EXPECT_EQ(InPieces(good + "x", [] { return 5U; }, kGzipped), "refused");
  EXPECT_EQ(InPieces(good + good, [] { return 1000U; }, kGzipped), "refused");
  EXPECT_EQ(InPieces("no gzip", [] { return 5U; }, kGzipped), "refused");
}

// tests/blackbox/limits_test.py sends one; here it would take a sanitizer a minute.
TEST(ScrubberTest, ABombIsLongAndSaysNothing) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  EXPECT_TRUE(IsBomb(100'000, 65 * kMiB));
  EXPECT_FALSE(IsBomb(100'000, 64 * kMiB));  // short enough, whatever it says
  EXPECT_FALSE(IsBomb(kMiB, 100 * kMiB));    // a long list of much the same
  EXPECT_TRUE(IsBomb(kMiB, 101 * kMiB + 100));
  EXPECT_FALSE(IsBomb(0, 0));
}

TEST(ScrubberTest, WhatCannotBeSearchedIsWithheldFromTheFirstByteOn) {
  http::Response head{.status = 200, .headers = {{"Content-Encoding", "br"}}, .body = ""};
  Scrubber scrubber(head, Forms());
  std::string out;
  EXPECT_THAT(scrubber.Feed("x", out), RefusedWith(Reason::kPortalError));
  EXPECT_EQ(out, "");
  EXPECT_EQ(InPieces("", [] { return 1U; }, {{"Content-Encoding", "br"}}), "");
  EXPECT_EQ(InPieces(std::string(300, '['), [] { return 10U; }), "refused");
  EXPECT_EQ(InPieces(std::string(256, '['), [] { return 10U; }), std::string(256, '['));
}

TEST(ScrubberTest, HeadersAreScrubbedAtOnce) {
  http::Response head{.status = 200, .headers = {{"X-Echo", "key=" + std::string(kKey)}}, .body = ""};
  const Scrubber scrubber(head, Forms());
  EXPECT_EQ(head.headers[0].value, "key=****");
}

}  // namespace
}  // namespace lmbroker::portal
