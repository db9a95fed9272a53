#include "service/core/read_key.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/crypto/digest.h"

namespace lmbroker::core {
namespace {

constexpr std::array<std::string_view, 3> kOfOneCall = {"X-Request-Id", "traceparent", "tracestate"};

// Lengths keep the parts apart, whatever they hold.
void Append(std::string& out, std::string_view part) {
  out += fmt::format("{}:", part.size());
  out += part;
}

void AppendHeaders(std::string& out, const http::RequestHeaders& headers) {
  std::vector<const http::NameValue*> telling;
  for (const http::NameValue& header : headers.all()) {
    if (std::find(kOfOneCall.begin(), kOfOneCall.end(), header.name) == kOfOneCall.end()) telling.push_back(&header);
  }
  // No name is there twice, and their order says nothing.
  std::sort(telling.begin(), telling.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (const http::NameValue* header : telling) {
    Append(out, header->name);
    Append(out, header->value);
  }
}

// Which secret it is. A rotation makes a new version, and what is imported again is of another time.
void AppendSecretsName(std::string& out, const store::CredentialRecord& record) {
  Append(out, record.name.ToString());
  Append(out, record.access_id);
  Append(out, fmt::format("{} {}", record.version, absl::ToUnixMicros(record.create_time)));
}

}  // namespace

std::string ResourceOf(const PortalName& portal, const http::CanonicalRequest& request) {
  // No id and no path has a NUL in it.
  std::string resource(portal.id());
  resource += '\0';
  resource += request.api() == http::Api::kManagement ? 'm' : 'i';
  resource += request.path().decoded();
  resource += '/';
  return resource;
}

std::string ReadKeyOf(const policy::AuthorizedCall& call, const Custody::Entry& entry, std::string_view policy) {
  const http::CanonicalRequest& request = call.request();
  std::string rest;
  Append(rest, policy);
  Append(rest, call.rule());
  AppendSecretsName(rest, entry.record);
  Append(rest, request.Target());
  Append(rest, fmt::format("{}", request.api_version().value_or(0)));
  Append(rest, request.body());  // empty: a GET has none
  AppendHeaders(rest, request.headers());

  std::string key = ResourceOf(call.portal(), request);
  key += '\0';
  key += crypto::Bytes(crypto::Sha256(rest));
  return key;
}

}  // namespace lmbroker::core
