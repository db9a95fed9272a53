#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace lmbroker::http {

// The content codings that can be undone.
enum class Coding {
  kGzip,     // RFC 1952, one member
  kDeflate,  // RFC 1950
};

// By a Content-Encoding value, in any letter case.
std::optional<Coding> ParseCoding(std::string_view name);

// Inflates what comes in pieces, in pieces of at most 16 KiB. Not synchronised.
class Inflater {
 public:
  explicit Inflater(Coding coding);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // The next piece, valid until the next call, from what it takes of the front of `bytes`; empty when more is needed.
  // Nothing when `bytes` are not of that coding, or go on behind its end.
  std::optional<std::string_view> Next(std::string_view& bytes);
  // Whether the end has come.
  bool done() const { return done_; }

 private:
  struct State;
  const std::unique_ptr<State> state_;
  bool done_ = false;
};

// The whole of `body` before its coding. FIELD_INVALID on `body` when it is not exactly one whole stream of it;
// BODY_TOO_LARGE when it inflates to more than `most_bytes`, without ever holding more than that.
absl::StatusOr<std::string> Inflate(std::string_view body, Coding coding, std::size_t most_bytes);

}  // namespace lmbroker::http
