// Law 4: nothing leaves before its intent is on the disk, whatever the disk does meanwhile. LMBROKER_MUTATIONS says for
// how many calls.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/call_audit.h"
#include "service/audit/chain.h"
#include "service/audit/file_sink.h"
#include "service/audit/sink_log.h"
#include "service/audit/verifier.h"
#include "tests/fakes/fake_checkpoint_signer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::audit {
namespace {

constexpr int kThreads = 8;
constexpr int kCalls = 12'000;

int CallsOfEach() {
  const char* const wanted = std::getenv("LMBROKER_MUTATIONS");  // NOLINT(concurrency-mt-unsafe): before any thread
  return (wanted == nullptr ? kCalls : std::atoi(wanted)) / kThreads;
}

// A call that went to the portal, and what a crash at that moment would have left of the audit.
struct Sent {
  std::string id;
  std::uint64_t flushed;
};

class Law4Test : public testing::Test {
 protected:
  std::unique_ptr<SinkLog> Open() {
    auto sink = FileSink::Open({.path = path_}, files_, clock_, logger_);
    EXPECT_THAT(sink, IsOk());
    std::vector<std::unique_ptr<Sink>> sinks;
    sinks.push_back(*std::move(sink));
    auto log = SinkLog::Open({}, std::move(sinks),
                             {.clock = clock_, .logger = logger_, .metrics = metrics_, .signer = signer_});
    EXPECT_THAT(log, IsOk());
    return *std::move(log);
  }

  FaultyFileSystem::Faults AnyFaults(std::mt19937& random) {
    switch (random() % 8) {
      case 0:
        return {.room = random() % 2000};
      case 1:
        return {.room = random() % 2000, .truncate_fails = true};
      case 2:
        return {.most_per_write = 1 + random() % 100};
      case 3:
        return {.sync_fails = true};
      case 4:
        return {.read_only = true};
      case 5:
        return {.open_fails = true, .sync_fails = true};
      case 6:
        return {.hangs = true};
      default:
        return {};
    }
  }

  // Up to where a file must be on the disk for the intent of each call.
  static std::map<std::string, std::size_t> EndsOfIntents(const std::string& text) {
    std::map<std::string, std::size_t> ends;
    std::size_t start = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
      const auto line = ReadChained(std::string_view(text).substr(start, end - start));
      if (line.has_value() && line->kind == "intent") ends.emplace(line->id(), end + 1);
      start = end + 1;
    }
    return ends;
  }

  TempDir dir_;
  const std::string path_ = dir_ / "audit.jsonl";
  FakeClock clock_;
  std::ostringstream output_;
  Logger logger_{{}, output_};
  Metrics metrics_{{}};
  FaultyFileSystem files_;
  FakeCheckpointSigner signer_;
};

TEST_F(Law4Test, NoCallIsSentWithoutAnIntentThatACrashWouldLeave) {
  const int calls_of_each = CallsOfEach();
  std::vector<std::vector<Sent>> sent(kThreads);
  std::atomic<int> refused = 0;
  {
    const auto log = Open();
    RefusalLimiter refusals(*log, clock_);
    std::atomic<bool> done = false;
    std::thread weather([&] {
      std::mt19937 random(7);
      while (!done) {
        files_.Set(AnyFaults(random));
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      }
      files_.Set({});
    });
    std::vector<std::thread> callers;
    for (int thread = 0; thread < kThreads; ++thread) {
      callers.emplace_back([&, thread] {
        for (int i = 0; i < calls_of_each; ++i) {
          const std::string id = std::to_string(thread) + "-" + std::to_string(i);
          CallAudit audit(*log, refusals, clock_, {.id = id});
          const absl::Status intent = audit.IntentAndWait(Durability::kOnDisk);
          if (intent.ok()) {
            sent[static_cast<std::size_t>(thread)].push_back({.id = id, .flushed = files_.flushed_bytes()});
          } else {
            ++refused;
          }
          audit.Outcome(intent);
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    done = true;
    weather.join();
  }
  const std::string text = ReadFile(path_);
  const auto ends = EndsOfIntents(text);
  std::size_t checked = 0;
  for (const auto& calls : sent) {
    for (const Sent& call : calls) {
      ASSERT_TRUE(ends.contains(call.id)) << call.id;
      EXPECT_LE(ends.at(call.id), call.flushed) << call.id;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100U);
  EXPECT_GT(refused, 100);
  EXPECT_EQ(checked + static_cast<std::size_t>(refused.load()), static_cast<std::size_t>(kThreads * calls_of_each));
  Verifier verifier({.head = std::nullopt, .key = signer_.key});
  verifier.BeginFile(path_);
  verifier.Add(text);
  verifier.EndFile();
  EXPECT_EQ(verifier.Finish().damage, "");
}

}  // namespace
}  // namespace lmbroker::audit
