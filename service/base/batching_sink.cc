#include "service/base/batching_sink.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <absl/time/clock.h>
#include <spdlog/details/log_msg.h>

#include "service/base/json_object.h"

namespace lmbroker {
namespace {

constexpr std::chrono::milliseconds kPace{20};
constexpr std::size_t kMostBytes = std::size_t{256} << 10;

void AppendDropped(std::string& lines, std::size_t count) {
  {
    JsonObject object(lines);
    object.Time("time", absl::Now());
    object.Text("level", "warn");
    object.Text("event", "log_lines_dropped");
    object.Unsigned("count", count);
  }
  lines += '\n';
}

}  // namespace

BatchingSink::BatchingSink(spdlog::sink_ptr output) : output_(std::move(output)), thread_([this] { Run(); }) {}

BatchingSink::~BatchingSink() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BatchingSink::log(const spdlog::details::log_msg& message) {
  const MutexLock lock(mutex_);
  if (lines_.size() + message.payload.size() >= kMostBytes) {
    lines_.clear();
    dropped_ += std::exchange(count_, 0);
  }
  lines_.append(message.payload.data(), message.payload.size());
  lines_ += '\n';
  ++count_;
  const bool urgent = message.level >= spdlog::level::warn || lines_.size() >= kMostBytes / 2;
  const State state = urgent ? State::kUrgent : std::max(state_, State::kFilled);
  if (std::exchange(state_, state) != state) changed_.notify_all();
}

void BatchingSink::Run() {
  std::string lines;
  bool more = true;
  while (more) {
    lines.clear();
    more = TakeLines(lines);
    if (lines.empty()) continue;
    lines.pop_back();  // the output ends the line
    output_->log({"lmbroker", spdlog::level::info, {lines.data(), lines.size()}});
    output_->flush();
  }
}

bool BatchingSink::TakeLines(std::string& lines) {
  const MutexLock lock(mutex_);
  while (state_ == State::kEmpty && !stopping_) changed_.wait(mutex_);
  const auto due = std::chrono::steady_clock::now() + kPace;
  while (state_ == State::kFilled && !stopping_ && changed_.wait_until(mutex_, due) == std::cv_status::no_timeout) {
  }
  state_ = State::kEmpty;
  if (const std::size_t dropped = std::exchange(dropped_, 0); dropped > 0) AppendDropped(lines, dropped);
  count_ = 0;
  if (lines.empty()) {
    lines.swap(lines_);  // the two take turns, so that neither gives its memory back
  } else {
    lines += lines_;
    lines_.clear();
  }
  return !stopping_;
}

}  // namespace lmbroker
