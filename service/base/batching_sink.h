#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include <spdlog/sinks/sink.h>

#include "service/base/mutex.h"

namespace lmbroker {

// A spdlog sink that collects lines and hands them to another one in batches, on a thread of its own: every few
// milliseconds, at once for warnings and worse. To wake a thread for each line, as spdlog's asynchronous logger does,
// costs several times the line. Never waits for the output: when it hangs, the oldest lines are dropped and counted.
class BatchingSink final : public spdlog::sinks::sink {
 public:
  // `output` is used by one thread at a time.
  explicit BatchingSink(spdlog::sink_ptr output);
  // Hands over what is left.
  ~BatchingSink() override;

  void log(const spdlog::details::log_msg& message) override;
  void flush() override {}                          // it is done in time
  void set_pattern(const std::string&) override {}  // lines come formatted
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  enum class State { kEmpty, kFilled, kUrgent };

  void Run();
  // Waits for lines; false when these are the last.
  bool TakeLines(std::string& lines);

  const spdlog::sink_ptr output_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::string lines_ ABSL_GUARDED_BY(mutex_);
  std::size_t count_ ABSL_GUARDED_BY(mutex_) = 0;    // of lines_
  std::size_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;  // since the last batch
  State state_ ABSL_GUARDED_BY(mutex_) = State::kEmpty;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lmbroker
