#include "service/app/policy_watch.h"

#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/yaml.h"
#include "service/core/policy_holder.h"
#include "service/policy/engine.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string PolicyOf(std::string_view name) {
  return fmt::format("callers:\n  - {{name: {0}, identities: ['dns:{0}.example']}}\n", name);
}

class PolicyWatchTest : public ::testing::Test {
 protected:
  // The name of the one caller of the policy in force; empty when it has none.
  std::string InForce() const {
    const auto& callers = holder_.Get()->policy().callers;
    return callers.empty() ? "" : callers.front().name;
  }
  // All that was logged. The end of the test: the logger writes it out as it dies.
  std::string Log() {
    logger_.reset();
    return log_.str();
  }

  const TempDir directory_;
  const std::string file_ = directory_ / "policy.yaml";
  FakeClock clock_;
  std::ostringstream log_;
  std::unique_ptr<Logger> logger_ = std::make_unique<Logger>(Logger::Options{}, log_);
  core::PolicyHolder holder_{std::make_shared<const policy::Engine>(std::make_shared<const policy::Policy>())};
  PolicyWatch watch_{{.logger = *logger_,
                      .name = "policy",
                      .take = [this](auto engine) { holder_.Swap(std::move(engine), clock_.Now()); },
                      .keep =
                          [this](std::string error) {
                            ++kept_;
                            holder_.Keep(std::move(error));
                          }},
                     file_,
                     {}};
  int kept_ = 0;
};

TEST_F(PolicyWatchTest, AChangedFileIsTakenWhole) {
  WriteFile(file_, PolicyOf("first"));
  watch_.Check();
  EXPECT_EQ(InForce(), "first");
  WriteFile(file_, PolicyOf("second"));
  clock_.Advance(absl::Seconds(1));
  watch_.Check();
  EXPECT_EQ(InForce(), "second");
  EXPECT_EQ(holder_.state().load_time, clock_.Now());
  EXPECT_THAT(holder_.state().error, IsEmpty());
}

TEST_F(PolicyWatchTest, AnEmptyFileIsGoodAndRefusesEveryone) {
  WriteFile(file_, PolicyOf("first"));
  watch_.Check();
  WriteFile(file_, "");
  watch_.Check();
  EXPECT_EQ(InForce(), "");
  EXPECT_THAT(holder_.state().error, IsEmpty());
}

struct Bad {
  std::string name;
  void (*spoil)(const std::string& file);
  std::string said;
};

class BadFile : public PolicyWatchTest, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadFile, KeepsThePolicyAndIsSaid) {
  WriteFile(file_, PolicyOf("first"));
  watch_.Check();
  const auto engine = holder_.Get();
  GetParam().spoil(file_);
  watch_.Check();
  EXPECT_EQ(holder_.Get(), engine);
  EXPECT_THAT(holder_.state().error, HasSubstr(GetParam().said));
  EXPECT_EQ(kept_, 1);

  fs::remove_all(file_);
  WriteFile(file_, PolicyOf("second"));
  watch_.Check();
  EXPECT_EQ(InForce(), "second");
  EXPECT_THAT(holder_.state().error, IsEmpty()) << "the alarm ends with its cause";
  EXPECT_THAT(Log(), HasSubstr("\"level\":\"error\",\"event\":\"policy_refused\""));
}

const Bad kBad[] = {
    {"Truncated", [](const std::string& f) { WriteFile(f, PolicyOf("second").substr(0, 40)); }, "policy.yaml"},
    {"UnknownKey", [](const std::string& f) { WriteFile(f, "callers: [{nam: a}]"); }, "unknown key"},
    {"NotText", [](const std::string& f) { WriteFile(f, std::string_view("\0\xFF", 2)); }, "policy.yaml"},
    {"Huge", [](const std::string& f) { WriteFile(f, std::string(kMostYamlBytes + 1, '#')); }, "policy.yaml"},
    {"Removed", [](const std::string& f) { fs::remove(f); }, "policy.yaml"},
    {"Directory",
     [](const std::string& f) {
       fs::remove(f);
       fs::create_directory(f);
     },
     "policy.yaml"},
    {"LinkToNothing",
     [](const std::string& f) {
       fs::remove(f);
       fs::create_symlink("none", f);
     },
     "policy.yaml"},
};

INSTANTIATE_TEST_SUITE_P(Table, BadFile, ::testing::ValuesIn(kBad), [](const auto& test) { return test.param.name; });

TEST_F(PolicyWatchTest, ABadFileIsReadOnce) {
  WriteFile(file_, "callers: [");
  for (int i = 0; i < 5; ++i) watch_.Check();
  EXPECT_EQ(kept_, 1);
}

TEST_F(PolicyWatchTest, ThousandsOfProblemsAreSaidInBoundedSpace) {
  std::string text = "callers:\n";
  for (int i = 0; i < 10'000; ++i) text += "  - {nam: a}\n";
  WriteFile(file_, text);
  watch_.Check();
  EXPECT_THAT(holder_.state().error, HasSubstr("and 29980 more"));  // each lacks a name and an identity, too
  EXPECT_LT(holder_.state().error.size(), 8000U);
}

TEST_F(PolicyWatchTest, EverySwapOfALinkIsTakenWhole) {
  for (int version = 0; version < 200; ++version) {
    const std::string name = fmt::format("v{}", version);
    WriteFile(directory_ / name, PolicyOf(name));
    fs::create_symlink(name, directory_ / "next");
    fs::rename(directory_ / "next", file_);
    watch_.Check();
    ASSERT_EQ(InForce(), name);
  }
}

}  // namespace
}  // namespace lmbroker::app
