#pragma once

// What the fuzz targets have in common. A target checks what must hold for every input, not only that nothing crashes.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "service/base/error.h"
#include "service/http/headers.h"

namespace lmbroker::fuzz {

// Ends the target, which libFuzzer reports with the input, unless `holds`.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// A refusal has a reason of ours, and a message that is short and can be printed, whatever the input was.
inline void RequireRefusal(const absl::Status& status, Reason reason) {
  Require(IsRefusal(status, reason), "the reason of the refusal");
  Require(status.message().size() < 500, "a message is short");
  for (const char c : status.message()) Require(c >= ' ' || c < 0, "a message can be printed");
}

// The parts of an input between bytes FF, which is in no UTF-8 and in no header.
inline std::vector<std::string> Split(std::string_view input) {
  std::vector<std::string> parts;
  for (std::size_t end = input.find('\xFF'); end != std::string_view::npos; end = input.find('\xFF')) {
    parts.emplace_back(input.substr(0, end));
    input.remove_prefix(end + 1);
  }
  parts.emplace_back(input);
  return parts;
}

// The same as pairs; an odd part at the end counts as a name.
inline std::vector<http::NameValue> SplitPairs(std::string_view input) {
  std::vector<std::string> parts = Split(input);
  if (parts.size() % 2 != 0) parts.emplace_back();
  std::vector<http::NameValue> pairs;
  for (std::size_t i = 0; i < parts.size(); i += 2) pairs.push_back({std::move(parts[i]), std::move(parts[i + 1])});
  return pairs;
}

inline bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

// Undoes percent-encoding, and requires that it is the one that the broker writes: upper-case hex, and only of what
// must be encoded.
inline std::string Decoded(std::string_view encoded, std::string_view kept = "") {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      Require(IsUnreserved(encoded[i]) || kept.find(encoded[i]) != std::string_view::npos, "only this stays as it is");
      out += encoded[i];
      continue;
    }
    Require(i + 2 < encoded.size(), "an escape is whole");
    const std::size_t high = kHex.find(encoded[i + 1]);
    const std::size_t low = kHex.find(encoded[i + 2]);
    Require(high != std::string_view::npos && low != std::string_view::npos, "an escape is upper-case hex");
    out += static_cast<char>(high << 4 | low);
    Require(!IsUnreserved(out.back()) && kept.find(out.back()) == std::string_view::npos, "nothing is encoded in vain");
    i += 2;
  }
  return out;
}

}  // namespace lmbroker::fuzz

// libFuzzer's entry point, with the input as text.
#define LMBROKER_FUZZ_TARGET(input)                                              \
  static void FuzzOne(std::string_view input);                                   \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) { \
    FuzzOne({reinterpret_cast<const char*>(data), size});                        \
    return 0;                                                                    \
  }                                                                              \
  static void FuzzOne(std::string_view input)
