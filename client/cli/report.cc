#include "client/cli/report.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include <absl/time/time.h>
#include <fmt/format.h>

#include "client/cli/table.h"
#include "client/refusal.h"

namespace lmbroker::cli {
namespace {

constexpr std::string_view kAskForGrant =
    "Run `lmbroker explain CALLER …` to see the rules that almost match, and ask an operator for a grant.";
constexpr std::string_view kCorrect = "Correct it and run the command again.";
constexpr std::string_view kRepeat = "Nothing was changed; run the command again later.";
constexpr std::string_view kListTokens = "Run `lmbroker token list PORTAL` to see what exists.";
constexpr std::string_view kListCredentials = "Run `lmbroker credential list PORTAL` to see what exists.";
constexpr std::string_view kFindOut = "It may have happened: look with `lmbroker token list PORTAL` before a repeat.";
constexpr std::string_view kGeneral = "Look in the broker's log for the request.";

constexpr std::array<std::pair<std::string_view, std::string_view>, 43> kNextSteps = {{
    {"NO_IDENTITY", "Give --cert and --key of a certificate with a SPIFFE URI or DNS name."},
    {"BAD_TOKEN", "Give --token-file with a token that is valid now and made for the broker."},
    {"NO_GRANT", kAskForGrant},
    {"SECRET_ENDPOINT", "Use `lmbroker token …`; token endpoints cannot be forwarded to."},
    {"ACCOUNT_ENDPOINT", "Ask an operator for a grant with account_writes."},
    {"HAND_OVER_NOT_GRANTED", "Leave --hand-over out, or ask an operator for a grant with hand_over."},
    {"FROZEN", "Ask an operator why it is frozen."},
    {"PORTAL_DENIED", "Give the LM user behind the credential a role that allows it."},
    {"FIELD_INVALID", kCorrect},
    {"PATH_NOT_PLAIN", "Write the path literally: no encoding, query, empty or dot segments."},
    {"HEADER_NOT_ALLOWED", "Leave the header out."},
    {"FIELD_IMMUTABLE", "Only the note can be changed; use enable or disable for the status."},
    {"PORTAL_REJECTED", kCorrect},
    {"UNKNOWN_PORTAL", "Run `lmbroker status` to see the portals."},
    {"UNKNOWN_CREDENTIAL", kListCredentials},
    {"UNKNOWN_TOKEN", kListTokens},
    {"UNKNOWN_ADMIN", "Look the LM user's id up in the portal."},
    {"CREDENTIAL_EXISTS", "Choose another id, or delete the credential first."},
    {"REQUEST_ID_REUSED", "Use a new request id."},
    {"PORTAL_CONFLICT", kCorrect},
    {"CREDENTIAL_DISABLED", "Ask an operator to run `lmbroker credential enable NAME`."},
    {"CREDENTIAL_QUARANTINED", "Ask an operator to run `lmbroker credential probe NAME`."},
    {"NO_MASTER", "Import the portal's master credential: `lmbroker credential import NAME --type T --master`."},
    {"MASTER_REFUSED", "Run `lmbroker credential probe NAME` on the master, and import a working one."},
    {"NOT_IN_CUSTODY", "Use a token whose secret the broker holds (custody BROKER)."},
    {"SECRET_ALREADY_HANDED_OVER", "Delete the token and create another one."},
    {"SEALED", "Ask an operator to unseal the broker."},
    {"BUDGET_EXHAUSTED", "Call less often: the portal's rate limit is used up."},
    {"CALLER_LIMIT", "Have fewer calls at the same time."},
    {"QUEUE_FULL", kRepeat},
    {"BODY_TOO_LARGE", "Send less at a time."},
    {"REPLY_TOO_LARGE", "Ask for less at a time, such as --query size=50."},
    {"TOO_MANY_TOKENS", "Delete tokens that are not used any more."},
    {"DEADLINE", "Give more time with --timeout."},
    {"DEADLINE_TOO_SHORT", "Give more time with --timeout."},
    {"PORTAL_UNREACHABLE", kRepeat},
    {"BREAKER_OPEN", kRepeat},
    {"PORTAL_ERROR", kRepeat},
    {"AUDIT_UNAVAILABLE", "Ask an operator to make the audit log writable again."},
    {"STORE_UNAVAILABLE", "Ask an operator to look after the broker's database."},
    {"DRAINING", kRepeat},
    {"OUTCOME_UNKNOWN", kFindOut},
    {"INTERNAL", kGeneral},
}};

void WriteLine(std::ostream& err, std::string_view label, std::string_view text) {
  err << fmt::format("{:<8} {}\n", label, Printable(text));
}

void ReportRefusal(const client::Refusal& refusal, std::ostream& err) {
  WriteLine(err, "refused:", refusal.message);
  WriteLine(err, "reason:", refusal.reason);
  for (const auto& [name, value] : refusal.metadata) WriteLine(err, name + ":", value);
  if (!refusal.request_id.empty()) WriteLine(err, "request:", refusal.request_id);
  std::string next(NextStep(refusal.reason));
  if (refusal.retry_after.has_value()) next += fmt::format(" Wait {}.", absl::FormatDuration(*refusal.retry_after));
  WriteLine(err, "next:", next);
}

}  // namespace

std::string_view NextStep(std::string_view reason) {
  const auto* const row =
      std::find_if(kNextSteps.begin(), kNextSteps.end(), [&](const auto& step) { return step.first == reason; });
  return row == kNextSteps.end() ? kGeneral : row->second;
}

ExitCode Report(const absl::Status& failure, std::ostream& err) {
  const std::string message(failure.message());
  if (const std::optional<client::Refusal> refusal = client::RefusalOf(failure)) {
    ReportRefusal(*refusal, err);
    return kRefused;
  }
  if (failure.code() == absl::StatusCode::kUnavailable) {
    WriteLine(err, "failed:", message);
    WriteLine(err, "next:", "Check --address, --ca, --cert and --key, and that the broker runs.");
    return kNotReached;
  }
  WriteLine(err, "failed:", message.empty() ? absl::StatusCodeToString(failure.code()) : message);
  WriteLine(err, "reason:", absl::StatusCodeToString(failure.code()));
  const bool too_late = failure.code() == absl::StatusCode::kDeadlineExceeded;
  WriteLine(err, "next:", too_late ? NextStep("DEADLINE") : kGeneral);
  return kRefused;
}

}  // namespace lmbroker::cli
