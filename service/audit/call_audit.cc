#include "service/audit/call_audit.h"

#include <algorithm>
#include <string>
#include <utility>

#include "service/base/error.h"

namespace lmbroker::audit {
namespace {

// Of a record, what is around the texts that come with a call: names, number, time, chain, and an outcome's fields.
constexpr std::size_t kMostAround = 700;

// As JSON: what is no plain character takes up to six bytes.
std::size_t EscapedBytes(std::string_view text) {
  const auto plain = std::count_if(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return text.size() + 5 * (text.size() - static_cast<std::size_t>(plain));
}

}  // namespace

CallAudit::CallAudit(AuditLog& log, RefusalLimiter& refusals, const Clock& clock, Record known)
    : log_(log), refusals_(refusals), clock_(clock), start_(clock.Monotonic()), record_(std::move(known)) {}

CallAudit::~CallAudit() {
  if (!ended_) End(absl::StatusCode::kInternal, "ABANDONED");
}

void CallAudit::Intent(Durability durability, AuditLog::Done done) {
  Prepare(Kind::kIntent, Decision::kAllowed);
  log_.Write(record_, durability, std::move(done));
}

absl::Status CallAudit::IntentAndWait(Durability durability) {
  Prepare(Kind::kIntent, Decision::kAllowed);
  return WriteAndWait(log_, record_, durability);
}

bool CallAudit::Outcome(const absl::Status& status) {
  const auto reason = ReasonOf(status);
  return End(status.code(), reason.has_value() ? ReasonName(*reason) : "");
}

bool CallAudit::End(absl::StatusCode code, std::string_view reason) {
  ended_ = true;
  const auto ignore = [](const absl::Status&) {};  // the answer stands, whether its record can be written or not
  if (!intent_written_) {
    const bool refused = code != absl::StatusCode::kOk;
    if (refused && !refusals_.Admit(record_.identity, record_.peer, PairBytes())) return false;
    Prepare(Kind::kIntent, refused ? Decision::kRefused : Decision::kAllowed);
    log_.Write(record_, Durability::kFlushedSoon, ignore);
  }
  Prepare(Kind::kOutcome, record_.decision);
  record_.code = absl::StatusCodeToString(code);
  record_.reason = std::string(reason);
  record_.duration_us = absl::ToInt64Microseconds(clock_.Monotonic() - start_);
  log_.Write(record_, Durability::kFlushedSoon, ignore);
  return true;
}

// What the two records will take in a file, at the most. Not by writing them: a stranger's calls must cost little.
std::size_t CallAudit::PairBytes() const {
  std::size_t bytes = kMostAround;
  for (const std::string* text :
       {&record_.id, &record_.caller, &record_.identity, &record_.certificate_identity, &record_.peer, &record_.method,
        &record_.portal, &record_.resource, &record_.rule, &record_.credential, &record_.access_id,
        &record_.http_method, &record_.path, &record_.query_digest, &record_.body_digest}) {
    bytes += EscapedBytes(*text);
  }
  return 2 * bytes;
}

void CallAudit::Prepare(Kind kind, Decision decision) {
  intent_written_ = true;
  record_.kind = kind;
  record_.decision = decision;
  record_.time = clock_.Now();
}

}  // namespace lmbroker::audit
