#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace lmbroker {

// Appends `text` as a JSON string (RFC 8259, section 7), at most `most_bytes` of it and then "…". Safe whatever the
// text is: a byte that is not UTF-8 becomes U+FFFD, every control character (C0, DEL, C1) an escape, so that the result
// is one line of UTF-8 and holds nothing that a terminal obeys.
void AppendJsonString(std::string& out, std::string_view text, std::size_t most_bytes);

// Appends `time` in UTC with microseconds, as RFC 3339 writes it: "2026-01-31T23:59:59.000001Z", without the quotes.
void AppendTimestamp(std::string& out, absl::Time time);

// Writes one JSON object, member after member, at the end of a string. Keys are ours and need no escapes.
class JsonObject {
 public:
  static constexpr std::size_t kMostText = 1024;

  // Opens the object. `out` must outlive this.
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;
  // Closes it.
  ~JsonObject() { out_ += '}'; }

  void Text(std::string_view key, std::string_view value, std::size_t most_bytes = kMostText);
  void Integer(std::string_view key, std::int64_t value);
  void Unsigned(std::string_view key, std::uint64_t value);
  void Real(std::string_view key, double value);  // null when it is not finite
  void Bool(std::string_view key, bool value);
  void Time(std::string_view key, absl::Time value);
  // For a member that is an object: where the next JsonObject is to be written, before anything else is added here.
  std::string& Object(std::string_view key);

 private:
  void Key(std::string_view key);

  std::string& out_;
  bool empty_ = true;
};

}  // namespace lmbroker
