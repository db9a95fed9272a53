#include "service/portal/errors.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "service/portal/rate_limit.h"

namespace lmbroker::portal {
namespace {

using nlohmann::json;

constexpr std::size_t kMostMessageBytes = 256;
constexpr std::size_t kMostErrorBodyBytes = 64 << 10;  // what is longer is a page or data, no error of LM's

// LM's own words, as far as it has any.
struct Words {
  std::optional<std::int64_t> code;
  std::string message;
};

std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMostMessageBytes)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

// Whether the body is worth parsing. The reply to a token's creation is not, and must not be: the parser leaves copies
// of what it reads behind, and there it would read the key.
bool MayBeError(std::string_view body, int http_status) {
  if (http_status < 300 && body.find("errorCode") == std::string_view::npos) return false;
  return body.size() <= kMostErrorBodyBytes && body.find('{') != std::string_view::npos;
}

// `errorMessage` and `errorCode` from /santaba/rest, `message` from /rest.
Words ReadWords(const std::string& body, int http_status) {
  Words words;
  if (!MayBeError(body, http_status)) return words;
  const json object = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return words;
  if (const auto code = object.find("errorCode"); code != object.end() && code->is_number_integer()) {
    words.code = code->get<std::int64_t>();
  }
  for (const char* field : {"errorMessage", "message"}) {
    const auto message = object.find(field);
    if (message == object.end() || !message->is_string()) continue;
    if (words.code.has_value() || http_status >= 300) words.message = Printable(message->get<std::string>());
    break;
  }
  return words;
}

// The HTTP status that an errorCode stands for; 0 when it is none that we know.
int StatusOfCode(std::int64_t code) {
  switch (code) {
    case 1104:
    case 14001:
    case 14002:
    case 14003:
    case 14004:
      return 400;
    case 1041:
      return 403;
    case 1065:
    case 1069:
    case 14042:
      return 404;
    case 600:
      return 409;
    case 1091:
    case 1100:
      return 429;
    default:
      return code >= 1400 && code <= 1599 ? static_cast<int>(code - 1000) : 0;
  }
}

bool Succeeded(int http_status, const Words& words) {
  if (http_status < 200 || http_status > 299) return false;
  // 1202 (still running) and 1204 (no content) are good news.
  return !words.code.has_value() || *words.code == 0 || (*words.code >= 1200 && *words.code <= 1299);
}

struct Verdict {
  Reason reason;
  std::string_view sentence;
};

Verdict Judge(int status, Effect effect, Reason not_found) {
  switch (status) {
    case 401:
      return {Reason::kMasterRefused,
              "The portal refused the broker's master credential; an operator should probe and replace it."};
    case 403:
      return {Reason::kPortalDenied,
              "The portal does not let the broker's master credential do this; the role of its user decides."};
    case 404:
      return {not_found, "The portal knows no such resource; list what it has."};
    case 409:
      return {Reason::kPortalConflict, "The portal already has such a resource; list what it has."};
    case 429:
      return {Reason::kBudgetExhausted,
              "The portal's rate limit for this endpoint is used up; repeat after the delay."};
    default:
      break;
  }
  if (status >= 400 && status <= 499) {
    return {Reason::kPortalRejected, "The portal refused the request as it is; `error_message` has its reason."};
  }
  if (effect == Effect::kCreate && status >= 500) {
    return {Reason::kOutcomeUnknown,
            "The portal failed and did not say whether it did what was asked; list before asking again."};
  }
  return {Reason::kPortalError, "The portal failed to answer; repeat later."};
}

}  // namespace

bool IsPlainSuccess(int http_status, const std::string& body) {
  constexpr int kOk = 200;
  if (http_status != kOk) return false;
  return ReadWords(body, http_status).code.value_or(0) == 0;
}

absl::Status CheckReply(const http::Response& reply, Effect effect, Reason not_found) {
  const Words words = ReadWords(reply.body, reply.status);
  if (Succeeded(reply.status, words)) return absl::OkStatus();
  const bool good_status = reply.status >= 200 && reply.status <= 299;
  // Under a good status the code alone tells, and one that nobody knows tells no more than a 500 would.
  const int by_code = good_status ? StatusOfCode(words.code.value_or(0)) : reply.status;
  const Verdict verdict = Judge(by_code == 0 ? 500 : by_code, effect, not_found);
  RefusalDetails details{
      .metadata = {{"http_status", fmt::format("{}", reply.status)}}, .field = {}, .retry_after = {}};
  if (words.code.has_value()) details.metadata["error_code"] = fmt::format("{}", *words.code);
  if (!words.message.empty()) details.metadata["error_message"] = words.message;
  if (verdict.reason == Reason::kBudgetExhausted) details.retry_after = RetryAfter(reply.headers);
  return Refuse(verdict.reason, verdict.sentence, std::move(details));
}

}  // namespace lmbroker::portal
