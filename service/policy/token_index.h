#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "service/base/names.h"
#include "service/policy/decision.h"
#include "service/policy/model.h"
#include "service/policy/verb.h"

namespace lmbroker::policy {

// Which of a caller's token grants can decide a question, found in a time that does not depend on how many there are:
// by portal, verb and LM user. It only narrows: what it finds is judged whole by token_judge.h. Refers to the grants;
// immutable once filled.
class TokenIndex {
 public:
  // In the order of the file; the grants of one caller, which stand one behind the other.
  void Add(const TokensGrant& grant);

  // In the order of the file. With these the judge comes to the same decision as with all of the caller's grants.
  std::vector<const TokensGrant*> Find(const TokenQuestion& question) const;

  // Every grant at the portal, in the order of the file.
  const std::vector<const TokensGrant*>& At(const PortalName& portal) const;

 private:
  static constexpr std::size_t kVerbCount = static_cast<std::size_t>(Verb::kRotate) + 1;  // the last one
  using Grants = std::vector<const TokensGrant*>;
  struct ByAdmin {
    Grants all;        // for a list of a whole portal
    Grants any_admin;  // those that say `any`
    std::unordered_map<std::int32_t, Grants> named;
  };
  struct Portal {
    Grants all;
    std::array<ByAdmin, kVerbCount> by_verb;
  };

  std::map<PortalName, Portal> portals_;
};

}  // namespace lmbroker::policy
