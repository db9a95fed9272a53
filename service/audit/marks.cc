#include "service/audit/marks.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "service/audit/line.h"
#include "service/base/json_object.h"

namespace lmbroker::audit {
namespace {

using nlohmann::json;

constexpr std::string_view kClosed = "closed";
constexpr std::string_view kResumed = "resumed";

void AppendResumption(std::string& out, const Resumption& resumption) {
  JsonObject object(out);
  object.Text("sink", resumption.sink);
  object.Unsigned("seq", resumption.last.seq);
  object.Text("hash", resumption.last.hash);
  if (!resumption.fragment.has_value()) return;
  object.Unsigned("fragment_bytes", resumption.fragment->bytes);
  object.Text("fragment_digest", resumption.fragment->digest);
}

void AddResumptions(JsonObject& object, const std::vector<Resumption>& resumptions) {
  if (resumptions.empty()) return;
  std::string& out = object.Object(kResumed);
  char separator = '[';
  for (const Resumption& resumption : resumptions) {
    out += separator;
    AppendResumption(out, resumption);
    separator = ',';
  }
  out += ']';
}

// The members of a line that are its own, as JSON.
json Members(const ChainedLine& line) {
  if (line.rest.empty()) return json::object();
  return json::parse("{" + std::string(line.rest.substr(1)) + "}", /*cb=*/nullptr, /*allow_exceptions=*/false);
}

std::optional<std::string> TextOf(const json& object, std::string_view key) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

std::optional<std::uint64_t> NumberOf(const json& object, std::string_view key) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_number_unsigned()) return std::nullopt;
  return member->get<std::uint64_t>();
}

std::optional<Resumption> ReadResumption(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto sink = TextOf(object, "sink");
  const auto seq = NumberOf(object, "seq");
  const auto hash = TextOf(object, "hash");
  if (!sink.has_value() || !seq.has_value() || !hash.has_value()) return std::nullopt;
  Resumption read{.sink = *sink, .last = {.seq = *seq, .hash = *hash}, .fragment = std::nullopt};
  const auto bytes = NumberOf(object, "fragment_bytes");
  const auto digest = TextOf(object, "fragment_digest");
  if (bytes.has_value() && digest.has_value()) read.fragment = {.bytes = *bytes, .digest = *digest};
  return read;
}

}  // namespace

void AppendStart(std::string& out, absl::Time time, const std::vector<Resumption>& resumptions, std::size_t closed) {
  const bool fragment = std::any_of(resumptions.begin(), resumptions.end(),
                                    [](const Resumption& resumption) { return resumption.fragment.has_value(); });
  {
    JsonObject object(out);
    object.Time("time", time);
    object.Text("kind", KindName(Kind::kStart));
    if (fragment) object.Text("reason", "FRAGMENT_CLOSED");
    AddResumptions(object, resumptions);
    if (closed > 0) object.Unsigned(kClosed, closed);
  }
  out += '\n';
}

void AppendGap(std::string& out, absl::Time time, const Resumption& resumption) {
  {
    JsonObject object(out);
    object.Time("time", time);
    object.Text("kind", KindName(Kind::kGap));
    AddResumptions(object, {resumption});
  }
  out += '\n';
}

void AppendStop(std::string& out, absl::Time time) { AppendUnnumbered(out, {.kind = Kind::kStop, .time = time}); }

void AppendUnknownOutcome(std::string& out, absl::Time time, const ChainedLine& intent) {
  out += R"({"time":")";
  AppendTimestamp(out, time);
  out += fmt::format(R"(","kind":"{}")", KindName(Kind::kOutcome));
  out += intent.rest;
  out += R"(,"code":"UNKNOWN","reason":"OUTCOME_UNKNOWN"})";
  out += '\n';
}

std::optional<std::vector<Resumption>> ReadResumptions(const ChainedLine& line) {
  const json members = Members(line);
  if (!members.is_object()) return std::nullopt;
  std::vector<Resumption> resumptions;
  const auto found = members.find(kResumed);
  if (found == members.end()) return resumptions;
  if (!found->is_array()) return std::nullopt;
  for (const json& element : *found) {
    const auto read = ReadResumption(element);
    if (!read.has_value()) return std::nullopt;
    resumptions.push_back(*read);
  }
  return resumptions;
}

std::size_t ReadClosed(const ChainedLine& start) {
  const json members = Members(start);
  return members.is_object() ? static_cast<std::size_t>(NumberOf(members, kClosed).value_or(0)) : 0;
}

}  // namespace lmbroker::audit
