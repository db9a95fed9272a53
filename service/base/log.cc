#include "service/base/log.h"

#include <cstddef>
#include <string>
#include <utility>

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "service/base/batching_sink.h"
#include "service/base/json_object.h"

namespace lmbroker {
namespace {

constexpr std::size_t kMostLine = std::size_t{8} * 1024;  // bytes, a little more with its last field

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

struct AddToObject {
  JsonObject& object;
  std::string_view name;
  void operator()(std::string_view value) const { object.Text(name, value); }
  void operator()(std::int64_t value) const { object.Integer(name, value); }
  void operator()(std::uint64_t value) const { object.Unsigned(name, value); }
  void operator()(double value) const { object.Real(name, value); }
  void operator()(bool value) const { object.Bool(name, value); }
};

struct AppendAsText {
  std::string& line;
  void operator()(std::string_view value) const { AppendJsonString(line, value, JsonObject::kMostText); }
  template <class T>
  void operator()(T value) const {
    line += fmt::format("{}", value);
  }
};

void FormatJson(std::string& line, LogLevel level, std::string_view event, Logger::Fields fields) {
  JsonObject object(line);
  object.Time("time", absl::Now());
  object.Text("level", LevelName(level));
  object.Text("event", event);
  for (const LogField& field : fields) {
    if (line.size() >= kMostLine) {
      object.Bool("cut", true);
      return;
    }
    std::visit(AddToObject{object, field.name}, field.value.value());
  }
}

void FormatText(std::string& line, LogLevel level, std::string_view event, Logger::Fields fields) {
  AppendTimestamp(line, absl::Now());
  line += fmt::format(" {:5} {}", LevelName(level), event);
  for (const LogField& field : fields) {
    if (line.size() >= kMostLine) {
      line += " cut=true";
      return;
    }
    line += ' ';
    line += field.name;
    line += '=';
    std::visit(AppendAsText{line}, field.value.value());
  }
}

}  // namespace

// spdlog's logger, not in its global registry.
struct Logger::Backend {
  explicit Backend(const spdlog::sink_ptr& output)
      : logger("lmbroker", std::make_shared<BatchingSink>(AsItIs(output))) {
    logger.set_level(spdlog::level::trace);  // Logger has judged the level already
  }

  static spdlog::sink_ptr AsItIs(const spdlog::sink_ptr& output) {
    output->set_pattern("%v");
    return output;
  }

  spdlog::logger logger;
};

Logger::Logger(Options options)
    : options_(options), backend_(std::make_unique<Backend>(std::make_shared<spdlog::sinks::stderr_sink_mt>())) {}

Logger::Logger(Options options, std::ostream& out)
    : options_(options), backend_(std::make_unique<Backend>(std::make_shared<spdlog::sinks::ostream_sink_mt>(out))) {}

Logger::~Logger() = default;

void Logger::Write(LogLevel level, std::string_view event, Fields fields) {
  if (!Wants(level)) return;
  thread_local std::string line;  // keeps its memory from event to event
  line.clear();
  if (options_.format == LogFormat::kJson) {
    FormatJson(line, level, event, fields);
  } else {
    FormatText(line, level, event, fields);
  }
  const bool grave = level >= LogLevel::kWarn;
  backend_->logger.log(grave ? spdlog::level::warn : spdlog::level::info,
                       spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace lmbroker
