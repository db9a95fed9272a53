#include "service/policy/diff.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/policy/path_cells.h"
#include "service/policy/token_judge.h"
#include "service/policy/ttl.h"

namespace lmbroker::policy {
namespace {

constexpr std::array kVerbs = {Verb::kCreate, Verb::kList,   Verb::kGet,   Verb::kUpdate,
                               Verb::kToggle, Verb::kDelete, Verb::kRotate};
std::vector<TokenType> BothTypes() { return {TokenType::kLmv1, TokenType::kBearer}; }

// What some identities are in one of the policies.
struct Side {
  const Engine* engine = nullptr;
  const CallerRules* rules = nullptr;  // null: nobody
  Caller caller;                       // as the engine knows it
  std::vector<std::string> concerned;  // for differences in which it is the one allowed
};

// The differences for identities that are one caller in the present policy and one in the candidate.
class PairDiff {
 public:
  PairDiff(const Side& present, const Side& candidate, const std::set<PortalName>& portals, PolicyDiff& diff)
      : present_(present), candidate_(candidate), portals_(portals), diff_(diff) {}

  absl::Status Run() {
    CompareOperators();
    RETURN_IF_ERROR(CompareForward());
    CompareTokens();
    return absl::OkStatus();
  }

 private:
  // The grants of both for one API of one portal, by pattern.
  struct Area {
    std::map<std::string_view, std::vector<const ForwardGrant*>> by_pattern;
    std::map<std::string_view, const PathPattern*> patterns;
  };
  // The lives that a create may ask for, longest first.
  using Ttls = std::set<absl::Duration, std::greater<>>;
  // The grants of both for the tokens of one portal: whom they name, and which limits they set to a token's life.
  struct TokenArea {
    std::map<std::int32_t, Ttls> admins;
    Ttls for_any;
  };

  template <class Visit>
  void ForBoth(Visit visit) const {
    for (const Side* side : {&present_, &candidate_}) {
      if (side->rules != nullptr) visit(*side->rules);
    }
  }

  void Add(const Side& allowing, std::string rule, decltype(Difference::sample) sample) {
    auto& list = &allowing == &candidate_ ? diff_.newly_allowed : diff_.newly_refused;
    list.push_back({.caller = allowing.rules->name,
                    .rule = std::move(rule),
                    .identities = allowing.concerned,
                    .sample = std::move(sample)});
  }

  // The side that allows it and its decision, when the other one refuses.
  template <class Question>
  std::optional<std::pair<const Side*, Decision>> Judge(const Question& question) const {
    Decision before = present_.engine->Decide(present_.caller, question);
    Decision after = candidate_.engine->Decide(candidate_.caller, question);
    if (before.allowed == after.allowed) return std::nullopt;
    return before.allowed ? std::pair(&present_, std::move(before)) : std::pair(&candidate_, std::move(after));
  }

  void CompareOperators() {
    const bool before = present_.rules != nullptr && present_.rules->is_operator;
    const bool after = candidate_.rules != nullptr && candidate_.rules->is_operator;
    if (before == after) return;
    const Side& allowing = after ? candidate_ : present_;
    Add(allowing, OperatorRule(*allowing.rules), OperatorCall{});
  }

  absl::Status CompareForward() {
    std::map<std::pair<PortalName, http::Api>, Area> areas;
    ForBoth([&](const CallerRules& rules) {
      for (const ForwardGrant& grant : rules.forward) {
        Area& area = areas[{grant.portal, grant.api}];
        for (const PathPattern& pattern : grant.paths) {
          area.patterns.emplace(pattern.text(), &pattern);
          area.by_pattern[pattern.text()].push_back(&grant);
        }
      }
    });
    for (const auto& [place, area] : areas) RETURN_IF_ERROR(CompareArea(place.first, place.second, area));
    return absl::OkStatus();
  }

  absl::Status CompareArea(const PortalName& portal, http::Api api, const Area& area) {
    std::vector<const PathPattern*> patterns;
    patterns.reserve(area.patterns.size());
    for (const auto& [text, pattern] : area.patterns) patterns.push_back(pattern);
    const auto cells = PathCellsOf(patterns);
    if (!cells.has_value()) {
      return FieldInvalid("policy_yaml",
                          "has, with the present policy, a caller whose patterns overlap in too many ways");
    }
    seen_.clear();
    for (const PathCell& cell : *cells) {
      std::set<http::Method> methods;
      std::set<std::optional<CredentialName>> credentials = {std::nullopt};
      for (const std::size_t i : cell.matching) {
        for (const ForwardGrant* grant : area.by_pattern.at(patterns[i]->text())) {
          methods.insert(grant->methods.begin(), grant->methods.end());
          credentials.insert(grant->credential);
        }
      }
      for (const http::Method method : methods) {
        for (const auto& credential : credentials) {
          CompareCall({.portal = portal, .credential = credential, .api = api, .method = method, .path = cell.path});
        }
      }
    }
    return absl::OkStatus();
  }

  // One sample for each rule, method and pattern of the rule through which it goes.
  void CompareCall(ForwardQuestion question) {
    auto judged = Judge(question);
    if (!judged.has_value()) return;
    const auto& [allowing, decision] = *judged;
    const auto grant = std::find_if(allowing->rules->forward.begin(), allowing->rules->forward.end(),
                                    [&](const ForwardGrant& g) { return g.rule == decision.rule; });
    bool is_new = false;
    for (const PathPattern& pattern : grant->paths) {
      if (!pattern.Matches(question.path.segments())) continue;
      is_new |= seen_.emplace(&*grant, question.method, pattern.text()).second;
    }
    if (is_new) Add(*allowing, decision.rule, std::move(question));
  }

  void CompareTokens() {
    std::map<PortalName, TokenArea> areas;
    ForBoth([&](const CallerRules& rules) {
      if (rules.is_operator) {
        for (const PortalName& portal : portals_) areas[portal];
      }
      for (const TokensGrant& grant : rules.tokens) AddTo(areas[grant.portal], grant);
    });
    for (auto& [portal, area] : areas) {
      std::int32_t other = 1;  // stands for all that no grant names
      while (area.admins.contains(other)) ++other;
      area.admins[other];
      for (auto& [admin, ttls] : area.admins) {
        ttls.insert(area.for_any.begin(), area.for_any.end());
        if (!ttls.empty()) ttls.insert(kLongestTtl);
        for (const Verb verb : kVerbs) CompareVerb({.verb = verb, .portal = portal, .admin = admin}, ttls);
      }
    }
  }

  static void AddTo(TokenArea& area, const TokensGrant& grant) {
    Ttls ttls;
    if (grant.max_ttl.has_value()) ttls.insert(std::min(*grant.max_ttl, kLongestTtl));
    if (grant.any_admin) area.for_any.insert(ttls.begin(), ttls.end());
    for (const std::int32_t admin : grant.admins) area.admins[admin].insert(ttls.begin(), ttls.end());
  }

  void CompareVerb(TokenQuestion question, const Ttls& ttls) {
    if (question.verb != Verb::kCreate) {
      CompareTypes(question, BothTypes());
      return;
    }
    for (const bool hand_over : {false, true}) {
      question.hand_over = hand_over;
      question.ttl.reset();
      // Where both allow a create, one may allow a longer life.
      std::vector<TokenType> alike = CompareTypes(question, BothTypes());
      for (const absl::Duration ttl : ttls) {
        question.ttl = ttl;
        alike = CompareTypes(question, alike);
      }
    }
  }

  // One sample for both types where the same is to be said of them. Gives those of which there is nothing to say.
  std::vector<TokenType> CompareTypes(TokenQuestion question, const std::vector<TokenType>& types) {
    const auto any = Judge(question);
    std::vector<TokenType> alike;
    std::vector<std::pair<TokenQuestion, std::pair<const Side*, Decision>>> found;
    for (const TokenType type : types) {
      question.type = type;
      auto judged = Judge(question);
      if (judged.has_value()) {
        found.emplace_back(question, *std::move(judged));
      } else {
        alike.push_back(type);
      }
    }
    const bool all_the_same =
        any.has_value() && found.size() == 2 && std::all_of(found.begin(), found.end(), [&](const auto& one) {
          return one.second.first == any->first && one.second.second.rule == any->second.rule;
        });
    if (all_the_same) {
      found.pop_back();
      found.front().first.type.reset();
    }
    for (auto& [sample, judged] : found) {
      const auto& [allowing, decision] = judged;
      // What an operator may do needs no grant, so one sample for a verb says it all.
      const bool by_mark = decision.rule == OperatorRule(*allowing->rules);
      if (by_mark && !marked_.emplace(allowing, sample.verb).second) continue;
      Add(*allowing, decision.rule, std::move(sample));
    }
    return alike;
  }

  const Side& present_;
  const Side& candidate_;
  const std::set<PortalName>& portals_;
  PolicyDiff& diff_;
  std::set<std::tuple<const ForwardGrant*, http::Method, std::string_view>> seen_;
  std::set<std::pair<const Side*, Verb>> marked_;
};

// Null for an identity that the policy does not know.
const CallerRules* RulesOf(const Policy& policy, const std::string& identity) {
  const auto found = policy.by_identity.find(identity);
  return found == policy.by_identity.end() ? nullptr : &policy.callers[found->second];
}

Side SideOf(const Engine& engine, const CallerRules* rules, const std::vector<std::string>& identities) {
  if (rules == nullptr) return {.engine = &engine};
  const bool all = identities.size() == rules->identities.size();
  return {.engine = &engine,
          .rules = rules,
          .caller = {.identity = identities.front(), .name = rules->name, .is_operator = rules->is_operator},
          .concerned = all ? std::vector<std::string>() : identities};
}

}  // namespace

absl::StatusOr<PolicyDiff> DiffPolicies(const Engine& present, const Engine& candidate,
                                        const std::set<PortalName>& portals) {
  // Identities by what they are in either policy, in the order of the present file, then of the candidate.
  using Pair = std::pair<const CallerRules*, const CallerRules*>;
  std::vector<std::pair<Pair, std::vector<std::string>>> groups;
  std::map<Pair, std::size_t> places;
  std::set<std::string> known;
  for (const Engine* engine : {&present, &candidate}) {
    for (const CallerRules& rules : engine->policy().callers) {
      for (const std::string& identity : rules.identities) {
        if (!known.insert(identity).second) continue;
        const Pair pair(RulesOf(present.policy(), identity), RulesOf(candidate.policy(), identity));
        const auto [place, is_new] = places.emplace(pair, groups.size());
        if (is_new) groups.emplace_back(pair, std::vector<std::string>());
        groups[place->second].second.push_back(identity);
      }
    }
  }
  PolicyDiff diff;
  for (const auto& [pair, identities] : groups) {
    const Side before = SideOf(present, pair.first, identities);
    const Side after = SideOf(candidate, pair.second, identities);
    RETURN_IF_ERROR(PairDiff(before, after, portals, diff).Run());
  }
  return diff;
}

}  // namespace lmbroker::policy
