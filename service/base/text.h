#pragma once

// Bridges between std::string_view (ours) and absl::string_view (Debian builds Abseil with its own type), and the one
// way in which text from outside may enter a message.

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/strings/string_view.h>

namespace lmbroker {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// A quoted excerpt of `text`, safe for messages and logs: at most 64 bytes of it, every byte that is not printable
// ASCII (and the quote and backslash) as \xNN, and "…" where it was cut.
std::string Excerpt(std::string_view text);

// Bytes of the UTF-8 sequence at the start of `text`, which is not empty; 0 when none that is well-formed starts there.
// RFC 3629, section 4.
std::size_t Utf8SequenceLength(std::string_view text);

// Whether `text` is well-formed UTF-8 (no surrogates, no over-long forms, nothing above U+10FFFF).
bool IsUtf8(std::string_view text);

// Whether `text` has a C0 control character or DEL.
bool HasControl(std::string_view text);

// ASCII lower case; other bytes stay.
std::string AsciiLower(std::string_view text);

// ASCII case-insensitive equality.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace lmbroker
