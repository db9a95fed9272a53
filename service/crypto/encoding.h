#pragma once

// Bytes as text (RFC 4648). Decoders are strict: exactly one text decodes to each value. No white space, no missing or
// surplus padding, no stray bits in the last digit, no other alphabet.

#include <optional>
#include <string>
#include <string_view>

#include "service/base/secret.h"

namespace lmbroker::crypto {

// Section 4: the standard alphabet, padded.
std::string EncodeBase64(std::string_view bytes);
std::optional<std::string> DecodeBase64(std::string_view text);
// The same for a key, which never lies outside the Secret.
std::optional<Secret> DecodeBase64Secret(std::string_view text);

// Section 5: the URL-safe alphabet, without padding.
std::string EncodeBase64Url(std::string_view bytes);
std::optional<std::string> DecodeBase64Url(std::string_view text);

// Lower case.
std::string EncodeHex(std::string_view bytes);
std::optional<std::string> DecodeHex(std::string_view text);

}  // namespace lmbroker::crypto
