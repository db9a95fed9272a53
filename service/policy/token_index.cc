#include "service/policy/token_index.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace lmbroker::policy {
namespace {

// Whether `later` can decide nothing that `earlier`, which covers the same users and verb, does not decide before it.
bool SaysTheSame(const TokensGrant& earlier, const TokensGrant& later) {
  return earlier.types == later.types && earlier.max_ttl == later.max_ttl && earlier.hand_over == later.hand_over;
}

void Keep(std::vector<const TokensGrant*>& kept, const TokensGrant& grant) {
  const bool known =
      std::any_of(kept.begin(), kept.end(), [&](const TokensGrant* other) { return SaysTheSame(*other, grant); });
  if (!known) kept.push_back(&grant);
}

}  // namespace

void TokenIndex::Add(const TokensGrant& grant) {
  Portal& portal = portals_[grant.portal];
  portal.all.push_back(&grant);
  for (const Verb verb : grant.verbs) {
    ByAdmin& by_admin = portal.by_verb.at(static_cast<std::size_t>(verb));
    Keep(by_admin.all, grant);
    if (grant.any_admin) Keep(by_admin.any_admin, grant);
    for (const std::int32_t admin : grant.admins) Keep(by_admin.named[admin], grant);
  }
}

std::vector<const TokensGrant*> TokenIndex::Find(const TokenQuestion& question) const {
  const auto portal = portals_.find(question.portal);
  if (portal == portals_.end()) return {};
  const ByAdmin& by_admin = portal->second.by_verb.at(static_cast<std::size_t>(question.verb));
  if (!question.admin.has_value()) return by_admin.all;
  const auto named = by_admin.named.find(*question.admin);
  if (named == by_admin.named.end()) return by_admin.any_admin;
  Grants found;
  std::merge(by_admin.any_admin.begin(), by_admin.any_admin.end(), named->second.begin(), named->second.end(),
             std::back_inserter(found));
  return found;
}

const std::vector<const TokensGrant*>& TokenIndex::At(const PortalName& portal) const {
  static const Grants none;
  const auto found = portals_.find(portal);
  return found == portals_.end() ? none : found->second.all;
}

}  // namespace lmbroker::policy
