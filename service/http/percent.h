#pragma once

#include <string>
#include <string_view>

namespace lmbroker::http {

// Appends `text` to `out` with every byte percent-encoded (upper-case hex) but the unreserved ones of RFC 3986, section
// 2.3, and those in `kept`. A space becomes %20.
void AppendPercentEncoded(std::string& out, std::string_view text, std::string_view kept = "");

}  // namespace lmbroker::http
