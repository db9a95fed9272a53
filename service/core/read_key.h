#pragma once

// What two reads have in common when one reply serves both, and which of them a write concerns.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "service/base/names.h"
#include "service/core/custody.h"
#include "service/http/request.h"
#include "service/policy/authorized_call.h"

namespace lmbroker::core {

// Portal, API and path of a request. What lies below a resource begins with it.
std::string ResourceOf(const PortalName& portal, const http::CanonicalRequest& request);

// Equal for two reads only when the same secret signs the same request under the same verdict: one rule of one policy
// (`policy` is its digest). The request is the same when the portal could not tell the two apart, but for what names a
// single call in its headers (X-Request-Id, traceparent, tracestate). Starts with the read's resource; the rest is a
// SHA-256, so that a key is short whatever the request holds.
std::string ReadKeyOf(const policy::AuthorizedCall& call, const Custody::Entry& entry, std::string_view policy);

// Erases from a map by read key what a write to `resource` may have changed: reads of the resource itself, of all below
// it, and of all that it lies below, for they may list it. `map` is ordered; `erase(position)` gives the position
// after.
template <class Map, class Erase>
void EraseUnderWrite(Map& map, std::string resource, Erase erase) {
  for (auto at = map.lower_bound(resource); at != map.end() && at->first.starts_with(resource);) at = erase(at);
  while (true) {
    resource.pop_back();  // its last slash
    const std::size_t slash = resource.rfind('/');
    if (slash == std::string::npos) return;
    resource.resize(slash + 1);
    const std::string itself = resource + '\0';
    for (auto at = map.lower_bound(itself); at != map.end() && at->first.starts_with(itself);) at = erase(at);
  }
}

template <class Map>
void EraseUnderWrite(Map& map, std::string resource) {
  EraseUnderWrite(map, std::move(resource), [&map](auto at) { return map.erase(at); });
}

}  // namespace lmbroker::core
