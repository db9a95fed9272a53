#include "service/audit/call_audit.h"

#include <string>
#include <utility>

#include "service/audit/line.h"
#include "service/base/error.h"

namespace lmbroker::audit {
namespace {

// Number, chain and the fields of an outcome, in bytes.
constexpr std::size_t kMostAdded = 300;

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

void CallAudit::Outcome(const absl::Status& status) {
  const auto reason = ReasonOf(status);
  End(status.code(), reason.has_value() ? ReasonName(*reason) : "");
}

void CallAudit::End(absl::StatusCode code, std::string_view reason) {
  ended_ = true;
  const auto ignore = [](const absl::Status&) {};  // the answer stands, whether its record can be written or not
  if (!intent_written_) {
    const bool refused = code != absl::StatusCode::kOk;
    if (refused && !refusals_.Admit(record_.identity, record_.peer, PairBytes())) return;
    Prepare(Kind::kIntent, refused ? Decision::kRefused : Decision::kAllowed);
    log_.Write(record_, Durability::kFlushedSoon, ignore);
  }
  Prepare(Kind::kOutcome, record_.decision);
  record_.code = absl::StatusCodeToString(code);
  record_.reason = std::string(reason);
  record_.duration_us = absl::ToInt64Microseconds(clock_.Monotonic() - start_);
  log_.Write(record_, Durability::kFlushedSoon, ignore);
}

// About what the two records will take in a file.
std::size_t CallAudit::PairBytes() const {
  std::string line;
  AppendUnnumbered(line, record_);
  return 2 * (line.size() + kMostAdded);
}

void CallAudit::Prepare(Kind kind, Decision decision) {
  intent_written_ = true;
  record_.kind = kind;
  record_.decision = decision;
  record_.time = clock_.Now();
}

}  // namespace lmbroker::audit
