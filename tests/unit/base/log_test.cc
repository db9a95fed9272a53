#include "service/base/log.h"

#include <algorithm>
#include <future>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "google/rpc/error_details.pb.h"
#include "service/base/secret.h"

namespace lmbroker {
namespace {

using testing::HasSubstr;
using testing::Not;

// What the log accepts is decided by types: a key, a message or a container of either is no value of a field.
static_assert(std::is_constructible_v<LogValue, std::string>);
static_assert(std::is_constructible_v<LogValue, const char*>);
static_assert(!std::is_constructible_v<LogValue, Secret>);
static_assert(!std::is_constructible_v<LogValue, const Secret&>);
static_assert(!std::is_constructible_v<LogValue, google::rpc::ErrorInfo>);
static_assert(!std::is_constructible_v<LogValue, const google::rpc::ErrorInfo&>);
static_assert(!std::is_constructible_v<LogValue, const google::rpc::ErrorInfo*>);
static_assert(!std::is_constructible_v<LogValue, std::vector<std::string>>);
static_assert(!std::is_constructible_v<LogValue, const void*>);

// The lines that `use` logs.
template <class Use>
std::vector<std::string> Log(Logger::Options options, Use use) {
  std::ostringstream out;
  {
    Logger logger(options, out);
    use(logger);
  }
  std::vector<std::string> lines;
  std::istringstream in(out.str());
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(LoggerTest, EventIsOneLineOfJson) {
  const auto lines = Log({}, [](Logger& logger) {
    const std::string method = "/lmbroker.v1.ForwardService/Forward";
    logger.Info("request", {{"method", method}, {"status", 200}, {"shared", true}, {"seconds", 0.25}, {"bytes", 7U}});
  });
  ASSERT_EQ(lines.size(), 1U);
  auto json = nlohmann::json::parse(lines[0]);
  EXPECT_THAT(json["time"].get<std::string>(), testing::MatchesRegex("....-..-..T..:..:..\\.......Z"));
  json.erase("time");
  EXPECT_EQ(json, nlohmann::json::parse(R"({"level":"info","event":"request","shared":true,"status":200,"bytes":7,
                                            "method":"/lmbroker.v1.ForwardService/Forward","seconds":0.25})"));
}

TEST(LoggerTest, HostileValueCannotStartALineOrAField) {
  const std::string hostile = "x\"}\n{\"level\":\"error\",\"event\":\"forged\xff\x1b[2J";
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    const auto lines = Log({.format = format}, [&](Logger& logger) { logger.Info("event", {{"value", hostile}}); });
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_THAT(lines[0], Not(HasSubstr("\x1b")));
    EXPECT_THAT(lines[0], Not(HasSubstr("\"level\":\"error\"")));
  }
}

TEST(LoggerTest, TextIsForPeople) {
  const auto lines = Log({.format = LogFormat::kText},
                         [](Logger& logger) { logger.Warn("portal_slow", {{"portal", "acme"}, {"ms", 812}}); });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], testing::EndsWith(R"(Z warn  portal_slow portal="acme" ms=812)"));
}

TEST(LoggerTest, LinesBelowTheLevelAreNotWritten) {
  const auto lines = Log({.level = LogLevel::kWarn}, [](Logger& logger) {
    EXPECT_FALSE(logger.Wants(LogLevel::kInfo));
    logger.Debug("no");
    logger.Info("no");
    logger.Warn("yes");
    logger.Error("yes");
  });
  EXPECT_EQ(lines.size(), 2U);
}

TEST(LoggerTest, LongValuesAndLongLinesAreCut) {
  const std::string huge(1'000'000, 'x');
  const auto lines = Log({}, [&](Logger& logger) {
    logger.Info("one", {{"value", huge}});
    logger.Info("many", {{"a", huge},
                         {"b", huge},
                         {"c", huge},
                         {"d", huge},
                         {"e", huge},
                         {"f", huge},
                         {"g", huge},
                         {"h", huge},
                         {"i", huge},
                         {"j", huge},
                         {"k", huge},
                         {"l", huge}});
  });
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LT(lines[0].size(), 1'200U);
  EXPECT_LT(lines[1].size(), 10'000U);
  EXPECT_TRUE(nlohmann::json::parse(lines[1])["cut"].get<bool>());
}

TEST(LoggerTest, BracesAreNoFormat) {
  const auto lines = Log({}, [](Logger& logger) { logger.Info("event", {{"value", "{} {0} %v"}}); });
  EXPECT_THAT(lines.at(0), HasSubstr(R"("value":"{} {0} %v")"));
}

TEST(LoggerTest, LinesOfManyThreadsStayWhole) {
  const auto lines = Log({}, [](Logger& logger) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&logger, thread] {
        for (int i = 0; i < 200; ++i) logger.Info("event", {{"thread", thread}, {"i", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(lines.size(), 800U);
  for (const std::string& line : lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

// An output that takes nothing until it is told to, as a pipe does whose reader hangs.
class HangingBuffer final : public std::stringbuf {
 public:
  void Release() { released_.set_value(); }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    released_future_.wait();
    return std::stringbuf::xsputn(data, size);
  }

 private:
  std::promise<void> released_;
  std::shared_future<void> released_future_ = released_.get_future().share();
};

TEST(LoggerTest, HangingOutputDropsLinesAndNeverTheCaller) {
  HangingBuffer buffer;
  std::ostream out(&buffer);
  {
    Logger logger({}, out);
    for (int i = 0; i < 10'000; ++i) logger.Info("event", {{"i", i}});
    buffer.Release();
  }
  const std::string text = buffer.str();
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_LT(lines, 5'000);
  EXPECT_THAT(text, HasSubstr("log_lines_dropped"));
  EXPECT_THAT(text, HasSubstr("\"i\":9999"));  // the newest are kept
}

}  // namespace
}  // namespace lmbroker
