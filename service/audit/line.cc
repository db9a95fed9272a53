#include "service/audit/line.h"

#include <optional>

#include "service/base/json_object.h"
#include "service/base/text.h"

namespace lmbroker::audit {
namespace {

// Bounds of the text fields, in bytes before escaping, which makes six of one at most.
constexpr std::size_t kMostName = 256;
constexpr std::size_t kMostLong = 2048;  // identities, and paths by the contract
static_assert(6 * (3 * kMostLong + 14 * kMostName) + 1024 <= kMostLineBytes);

std::string_view DecisionName(Decision decision) {
  switch (decision) {
    case Decision::kNone:
      return "";
    case Decision::kAllowed:
      return "allowed";
    case Decision::kRefused:
      return "refused";
  }
  return "";
}

void AddText(JsonObject& object, std::string_view key, std::string_view value, std::size_t most_bytes = kMostName) {
  if (!value.empty()) object.Text(key, value, most_bytes);
}

template <class Number>
void AddNumber(JsonObject& object, std::string_view key, const std::optional<Number>& value) {
  if (value.has_value()) object.Integer(key, *value);
}

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kIntent:
      return "intent";
    case Kind::kOutcome:
      return "outcome";
    case Kind::kRefusals:
      return "refusals";
    case Kind::kCheckpoint:
      return "checkpoint";
    case Kind::kStart:
      return "start";
    case Kind::kStop:
      return "stop";
    case Kind::kGap:
      return "gap";
  }
  return "";
}

void AppendUnnumbered(std::string& out, const Record& record) {
  {
    JsonObject object(out);
    object.Time("time", record.time);
    object.Text("kind", KindName(record.kind));
    AddText(object, "id", record.id);
    AddText(object, "caller", record.caller);
    AddText(object, "identity", record.identity, kMostLong);
    AddText(object, "certificate_identity", record.certificate_identity, kMostLong);
    AddText(object, "peer", record.peer);
    AddText(object, "method", record.method);
    AddText(object, "portal", record.portal);
    AddText(object, "resource", record.resource);
    AddText(object, "rule", record.rule);
    AddText(object, "credential", record.credential);
    AddText(object, "access_id", record.access_id);
    AddText(object, "http_method", record.http_method);
    AddText(object, "path", record.path, kMostLong);
    AddText(object, "query_digest", record.query_digest);
    AddText(object, "body_digest", record.body_digest);
    AddText(object, "decision", DecisionName(record.decision));
    AddText(object, "code", record.code);
    AddText(object, "reason", record.reason);
    AddNumber(object, "http_status", record.http_status);
    AddNumber(object, "attempts", record.attempts);
    AddNumber(object, "duration_us", record.duration_us);
    AddNumber(object, "count", record.count);
  }
  out += '\n';
}

}  // namespace lmbroker::audit
