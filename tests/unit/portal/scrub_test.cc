#include "service/portal/scrub.h"

#include <zlib.h>

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::portal {
namespace {

constexpr std::string_view kKey = "lma_Invented(Key)For{Tests}=0123456789+^~";

http::Response Reply(std::string body, std::vector<http::NameValue> headers = {}) {
  return {.status = 200, .headers = std::move(headers), .body = std::move(body)};
}

std::string Scrubbed(std::string body) {
  http::Response reply = Reply(std::move(body));
  const absl::Status status = ScrubReply(reply, SecretForms(Secret(kKey)), 1 << 20);
  return status.ok() ? reply.body : status.ToString();
}

std::string Gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(ScrubTest, KeyLikeFieldsAreMasked) {
  const struct {
    std::string body;
    std::string scrubbed;
  } cases[] = {
      {R"({"accessKey":"lma_x","id":1})", R"({"accessKey":"****","id":1})"},
      {R"({"ACCESS_KEY" : "x"})", R"({"ACCESS_KEY" : "****"})"},
      {R"({"access\u004bey":"x"})", R"({"access\u004bey":"****"})"},
      {R"({"password":"p\"w","note":"n"})", R"({"password":"****","note":"n"})"},
      {R"({"items":[{"apiTokens":[{"accessKey":"lmb_0123456789****"}]}]})",
       R"({"items":[{"apiTokens":[{"accessKey":"****"}]}]})"},
      {R"({"clientSecret":["a","b"],"x":["c"]})", R"({"clientSecret":["****","****"],"x":["c"]})"},
      {R"({"name":"ssh.pass","value":"hunter2"})", R"({"name":"ssh.pass","value":"****"})"},
      {R"({"value":"hunter2","type":"t","name":"SNMP.community"})",
       R"({"value":"****","type":"t","name":"SNMP.community"})"},
      {R"([{"name":"location","value":"Berlin"},{"name":"aws.secretkey","value":"k"}])",
       R"([{"name":"location","value":"Berlin"},{"name":"aws.secretkey","value":"****"}])"},
      {R"({"jdbc.mysql.pass":"x"})", R"({"jdbc.mysql.pass":"****"})"},
      {R"({"token":"t","x":{"privateKey":"k"}})", R"({"token":"****","x":{"privateKey":"****"}})"},
  };
  for (const auto& c : cases) EXPECT_EQ(Scrubbed(c.body), c.scrubbed);
}

TEST(ScrubTest, CleanBodiesStayAsTheyAre) {
  const std::string bodies[] = {
      "",
      "plain text",
      R"({"total":2,"items":[{"name":"web-1","displayName":"web","customProperties":[{"name":"env","value":"prod"}]}]})",
      R"({"password":"","accessKey":"********","forcePasswordChange":true,"passwordDays":90})",
      R"({"key":"k","value":"v","auth":"basic","pass":"yes","nextPageToken2":"x","monkey":"m"})",
      R"({"note":"my password is in the note"})",
      R"({"name":"key","value":"v"})",
      "LMv1 tokens sign requests; see Authorization: LMv1 id:short:1",
      std::string("\0\x01\xff binary \"", 13),
  };
  for (const std::string& body : bodies) EXPECT_EQ(Scrubbed(body), body);
}

TEST(ScrubTest, BrokenJsonIsSearchedAsWell) {
  EXPECT_EQ(Scrubbed(R"({"accessKey":"cut off)"), R"({"accessKey":"****)");
  EXPECT_EQ(Scrubbed(R"("accessKey":"x")"), R"("accessKey":"****")");
  EXPECT_EQ(Scrubbed(R"(}}]]{"accessKey":"x"}}})"), R"(}}]]{"accessKey":"****"}}})");
  EXPECT_EQ(Scrubbed("a stray \" quote\n{\"accessKey\":\"x\"}"), "a stray \" quote\n{\"accessKey\":\"****\"}");
  EXPECT_EQ(Scrubbed(R"({"name":"ssh.pass","value":"x")"), R"({"name":"ssh.pass","value":"****")");
}

TEST(ScrubTest, TheKeyInUseIsMaskedAnywhere) {
  EXPECT_EQ(Scrubbed("<p>" + std::string(kKey) + "</p>"), "<p>****</p>");
  EXPECT_EQ(Scrubbed(R"({"note":"lma_Invented(Key)For{Tests}\u003d0123456789+^~"})"), R"({"note":"****"})");
  EXPECT_EQ(Scrubbed(R"({"lma_Invented(Key)For{Tests}\u003d0123456789+^~":1})"), R"({"****":1})");
  EXPECT_EQ(Scrubbed("no \" string\nlma_Invented(Key)For{Tests}\\u003d0123456789+^~ of JSON"),
            "no \" string\n**** of JSON");
  http::Response reply = Reply("", {{"X-Echo", "key=" + std::string(kKey)}});
  ASSERT_TRUE(ScrubReply(reply, SecretForms(Secret(kKey)), 1024).ok());
  EXPECT_EQ(reply.headers[0].value, "key=****");
}

TEST(ScrubTest, AnEchoedSignatureIsMasked) {
  const std::string signature =
      "Zjg4YTZhNWNjYmM2ZDQwMzc3ODgxMGQxNDI1OWJlNDUwMTkxOTcxZGUxOWY0NGVkN2Y3MjQyNmNjZTU3NmY5Ng==";
  EXPECT_EQ(Scrubbed("Authorization: LMv1 aB3dE5fG7hJ9kL2mN4pQ:" + signature + ":1700000000000\n"),
            "Authorization: LMv1 ****\n");
  const std::string header = "LMv1 aB3dE5fG7hJ9kL2mN4pQ:" + signature + ":1700000000000";
  EXPECT_EQ(Scrubbed(header + header), "LMv1 **** ****");
}

TEST(ScrubTest, CompressedBodiesAreInflatedFirst) {
  http::Response reply = Reply(Gzip(R"({"accessKey":"x"})"), {{"content-encoding", "GZIP"}, {"Content-Type", "t"}});
  ASSERT_TRUE(ScrubReply(reply, SecretForms(Secret(kKey)), 1024).ok());
  EXPECT_EQ(reply.body, R"({"accessKey":"****"})");
  EXPECT_EQ(reply.headers, (std::vector<http::NameValue>{{"Content-Type", "t"}}));
}

TEST(ScrubTest, WhatCannotBeSearchedIsWithheld) {
  const SecretForms forms{Secret(kKey)};
  http::Response brotli = Reply("xxxx", {{"Content-Encoding", "br"}});
  EXPECT_THAT(ScrubReply(brotli, forms, 1024), RefusedWith(Reason::kPortalError));
  http::Response broken = Reply("no gzip", {{"Content-Encoding", "gzip"}});
  EXPECT_THAT(ScrubReply(broken, forms, 1024), RefusedWith(Reason::kPortalError));
  http::Response twice = Reply(Gzip("x"), {{"Content-Encoding", "gzip, gzip"}});
  EXPECT_THAT(ScrubReply(twice, forms, 1024), RefusedWith(Reason::kPortalError));
  http::Response bomb = Reply(Gzip(std::string(1 << 20, 'x')), {{"Content-Encoding", "gzip"}});
  EXPECT_THAT(ScrubReply(bomb, forms, 1024), RefusedWith(Reason::kReplyTooLarge));
  http::Response deep = Reply(std::string(1 << 20, '['));
  EXPECT_THAT(ScrubReply(deep, forms, 2 << 20), RefusedWith(Reason::kPortalError));
}

TEST(ScrubTest, EmptyBodyOfAnyCodingPasses) {
  http::Response reply = Reply("", {{"Content-Encoding", "br"}});
  EXPECT_TRUE(ScrubReply(reply, SecretForms(Secret(kKey)), 1024).ok());
}

}  // namespace
}  // namespace lmbroker::portal
