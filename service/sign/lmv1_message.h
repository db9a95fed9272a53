#pragma once

#include <string>
#include <string_view>

#include <absl/time/time.h>

#include "service/http/request.h"

namespace lmbroker::sign {

// Milliseconds since the Unix epoch in decimal, as LMv1 states the time.
std::string Lmv1Epoch(absl::Time now);

// What LMv1 signs: these four, one after the other, without separators (logicmonitor-api, section 2.1). Views into what
// it was made from.
struct Lmv1Message {
  std::string_view method;
  std::string_view epoch;
  std::string_view body;  // before its Content-Encoding
  std::string_view path;  // decoded, without base and query
};

Lmv1Message MakeLmv1Message(const http::CanonicalRequest& request, std::string_view epoch);

// The message in a row as it is signed, but for the body, of which it has the SHA-256 in lower-case hex: for people who
// compare what two programs sign.
std::string WithoutBody(const Lmv1Message& message);

}  // namespace lmbroker::sign
