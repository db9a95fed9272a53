#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string_view>
#include <type_traits>
#include <variant>

namespace lmbroker {

// The value of one field of a log line. Only what is listed here converts: a Secret or a message does not.
class LogValue {
 public:
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  template <class T>
    requires std::convertible_to<const T&, std::string_view>
  LogValue(const T& text) : value_(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  template <class T>
    requires std::integral<T> && (!std::same_as<T, char>)
  LogValue(T value) : value_(Widen(value)) {}  // NOLINT(google-explicit-constructor)
  template <std::floating_point T>
  LogValue(T value) : value_(static_cast<double>(value)) {}  // NOLINT(google-explicit-constructor)

  const Value& value() const { return value_; }

 private:
  template <class T>
  static Value Widen(T value) {
    if constexpr (std::same_as<T, bool>) {
      return value;
    } else if constexpr (std::is_signed_v<T>) {
      return static_cast<std::int64_t>(value);
    } else {
      return static_cast<std::uint64_t>(value);
    }
  }

  Value value_;
};

struct LogField {
  std::string_view name;  // ours: [a-z_]+
  LogValue value;
};

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kJson, kText };

// The operational log: one line an event, on standard error. Callers name safe fields one by one; there is no way to
// hand it a request, a reply or a key. Never blocks on its output: lines wait in a bounded buffer for a thread of
// its own, and when the output hangs the oldest are dropped. Safe for concurrent use.
//
//   logger.Info("request", {{"method", method}, {"status", 200}});
//   {"time":"2026-01-31T23:59:59.000001Z","level":"info","event":"request","method":"…","status":200}
class Logger {
 public:
  struct Options {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kJson;
  };
  using Fields = std::initializer_list<LogField>;

  // To standard error.
  explicit Logger(Options options);
  // To `out`, which must outlive this and is written by one thread at a time.
  Logger(Options options, std::ostream& out);
  // Writes out what is queued.
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void Debug(std::string_view event, Fields fields = {}) { Write(LogLevel::kDebug, event, fields); }
  void Info(std::string_view event, Fields fields = {}) { Write(LogLevel::kInfo, event, fields); }
  void Warn(std::string_view event, Fields fields = {}) { Write(LogLevel::kWarn, event, fields); }
  void Error(std::string_view event, Fields fields = {}) { Write(LogLevel::kError, event, fields); }

  bool Wants(LogLevel level) const { return level >= options_.level; }

 private:
  struct Backend;

  void Write(LogLevel level, std::string_view event, Fields fields);

  const Options options_;
  const std::unique_ptr<Backend> backend_;
};

}  // namespace lmbroker
