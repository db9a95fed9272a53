#include "service/audit/chain.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "service/audit/line.h"
#include "service/audit/marks.h"
#include "service/crypto/digest.h"

namespace lmbroker::audit {
namespace {

std::string Chained(const Record& record, Link& last) {
  std::string unnumbered;
  AppendUnnumbered(unnumbered, record);
  std::string line;
  AppendChained(line, unnumbered, last);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  line.pop_back();
  return line;
}

std::string First() {
  Link last;
  return Chained({.kind = Kind::kIntent, .time = absl::UnixEpoch(), .id = "a", .path = "/x\"y\n"}, last);
}

TEST(ChainTest, FirstLineIsExactlyThis) {
  const std::string before =
      R"({"seq":1,"time":"1970-01-01T00:00:00.000000Z","kind":"stop","prev":")" + std::string(64, '0') + "\"";
  Link last;
  EXPECT_EQ(Chained({.kind = Kind::kStop, .time = absl::UnixEpoch()}, last),
            before + R"(,"hash":")" + crypto::Sha256Hex(before) + "\"}");
}

TEST(ChainTest, EachLineHoldsTheHashOfTheOneBefore) {
  Link last;
  const std::string first = Chained({.id = "a"}, last);
  const std::string second = Chained({.id = "b"}, last);
  const auto one = nlohmann::json::parse(first);
  const auto two = nlohmann::json::parse(second);
  EXPECT_EQ(two["prev"], one["hash"]);
  EXPECT_EQ(two["seq"], 2);
  EXPECT_EQ(last, (Link{.seq = 2, .hash = two["hash"]}));
}

TEST(ChainTest, LineSaysWhatItIs) {
  const std::string text = First();
  const auto line = ReadChained(text);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->seq, 1U);
  EXPECT_EQ(line->kind, "intent");
  EXPECT_EQ(line->id(), "a");
  EXPECT_EQ(line->prev, Link{}.hash);
  EXPECT_EQ(ReadTime(*line), absl::UnixEpoch());
  EXPECT_EQ(line->rest, R"(,"id":"a","path":"/x\"y\u000a")");
}

TEST(ChainTest, NoByteCanBeChanged) {
  const std::string text = First();
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(ReadChained(changed).has_value()) << changed;
  }
}

TEST(ChainTest, NoByteCanBeAddedOrLeftOut) {
  const std::string text = First();
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(ReadChained(text.substr(0, at)).has_value());
    EXPECT_FALSE(ReadChained(text.substr(at + 1)).has_value());
    EXPECT_FALSE(ReadChained(text.substr(0, at) + text.substr(at + 1)).has_value()) << at;
    EXPECT_FALSE(ReadChained(text.substr(0, at) + " " + text.substr(at)).has_value()) << at;
  }
}

// The hash alone makes no record: it must have the form that the writer gives it.
TEST(ChainTest, OtherTextWithAGoodHashIsNoRecord) {
  const auto hashed = [](std::string text) {
    text += R"(,"prev":")" + std::string(64, '0') + "\"";
    return text + R"(,"hash":")" + crypto::Sha256Hex(text) + "\"}";
  };
  EXPECT_TRUE(ReadChained(hashed(R"({"seq":7,"time":"t","kind":"k")")).has_value());
  for (const std::string text :
       {R"({"seq":0,"time":"t","kind":"k")", R"({"seq":07,"time":"t","kind":"k")", R"({"seq":-7,"time":"t","kind":"k")",
        R"({"seq":7.5,"time":"t","kind":"k")", R"({"seq":99999999999999999999,"time":"t","kind":"k")",
        R"({"seq":7,"kind":"k")", R"({"seq":7,"time":"t","kind":"k)", R"({"seq":"7","time":"t","kind":"k")", ""}) {
    EXPECT_FALSE(ReadChained(hashed(text)).has_value()) << text;
  }
}

TEST(MarksTest, StartSaysWhereSinksGoOn) {
  const std::vector<Resumption> resumptions = {
      {.sink = "a.jsonl", .last = {.seq = 7, .hash = std::string(64, 'a')}, .fragment = std::nullopt},
      {.sink = "b.jsonl",
       .last = {.seq = 9, .hash = std::string(64, 'b')},
       .fragment = Fragment{.bytes = 3, .digest = "d"}}};
  std::string unnumbered;
  AppendStart(unnumbered, absl::UnixEpoch(), resumptions, 5);
  std::string line;
  Link last;
  AppendChained(line, unnumbered, last);
  line.pop_back();
  ASSERT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_THAT(line, testing::HasSubstr(R"("reason":"FRAGMENT_CLOSED")"));
  EXPECT_EQ(ReadResumptions(*ReadChained(line)), resumptions);
  EXPECT_EQ(ReadClosed(*ReadChained(line)), 5U);
}

TEST(MarksTest, PlainStartSaysNothing) {
  std::string unnumbered;
  AppendStart(unnumbered, absl::UnixEpoch(), {}, 0);
  std::string line;
  Link last;
  AppendChained(line, unnumbered, last);
  line.pop_back();
  EXPECT_EQ(ReadChained(line)->rest, "");
  EXPECT_EQ(ReadResumptions(*ReadChained(line)), std::vector<Resumption>());
  EXPECT_EQ(ReadClosed(*ReadChained(line)), 0U);
}

TEST(MarksTest, UnknownOutcomeHasWhatTheIntentHad) {
  Link last;
  const std::string intent =
      Chained({.time = absl::UnixEpoch(), .id = "a", .caller = "c", .decision = Decision::kAllowed}, last);
  std::string unnumbered;
  AppendUnknownOutcome(unnumbered, absl::UnixEpoch() + absl::Seconds(1), *ReadChained(intent));
  EXPECT_EQ(unnumbered,
            R"({"time":"1970-01-01T00:00:01.000000Z","kind":"outcome","id":"a","caller":"c","decision":"allowed",)"
            R"("code":"UNKNOWN","reason":"OUTCOME_UNKNOWN"})"
            "\n");
}

}  // namespace
}  // namespace lmbroker::audit
