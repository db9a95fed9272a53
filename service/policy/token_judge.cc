#include "service/policy/token_judge.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "service/policy/nearest.h"

namespace lmbroker::policy {
namespace {

// The conditions of a token grant, the one that tells most about a refusal first.
constexpr Failures kPortal = 1U << 0U;
constexpr Failures kVerb = 1U << 1U;
constexpr Failures kAdmin = 1U << 2U;
constexpr Failures kType = 1U << 3U;
constexpr Failures kLease = 1U << 4U;
constexpr Failures kHandOver = 1U << 5U;

template <class Values, class Value>
bool Has(const Values& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// A list of a whole portal is covered by every grant that lists there: it shows what they cover. Nothing else is
// without an admin.
bool CoversAdmin(const TokensGrant& grant, const TokenQuestion& question) {
  if (!question.admin.has_value()) return question.verb == Verb::kList;
  return grant.any_admin || Has(grant.admins, *question.admin);
}

std::optional<TokenType> TypeOf(const TokenQuestion& question) {
  if (question.type.has_value() || question.verb != Verb::kCreate) return question.type;
  return TokenType::kLmv1;
}

// Whether the life that is asked for is longer than what the grant gives.
bool LivesTooLong(const TokensGrant& grant, const TokenQuestion& question) {
  return question.verb == Verb::kCreate && question.ttl.has_value() && grant.max_ttl.has_value() &&
         *question.ttl > *grant.max_ttl;
}

// What of `question` the grant does not cover; 0 when it covers it all.
Failures FailuresOf(const TokensGrant& grant, const TokenQuestion& question) {
  const std::optional<TokenType> type = TypeOf(question);
  Failures failures = 0;
  if (grant.portal != question.portal) failures |= kPortal;
  if (!Has(grant.verbs, question.verb)) failures |= kVerb;
  if (!CoversAdmin(grant, question)) failures |= kAdmin;
  if (type.has_value() && !Has(grant.types, *type)) failures |= kType;
  if (LivesTooLong(grant, question)) failures |= kLease;
  if (question.hand_over && !grant.hand_over) failures |= kHandOver;
  return failures;
}

// Of two grants that allow a create: whether its token lives longer under `grant`, or at all without a lease. So what a
// caller gets does not depend on the order of its grants; among equals the first of the file decides.
bool GivesMore(const TokensGrant& grant, const TokensGrant& other, const TokenQuestion& question) {
  if (question.verb != Verb::kCreate || !other.max_ttl.has_value()) return false;
  return !grant.max_ttl.has_value() || *grant.max_ttl > *other.max_ttl;
}

std::string AdminsOf(const TokensGrant& grant) {
  return grant.any_admin ? "any" : ListOf(grant.admins, [](std::int32_t id) { return fmt::format("{}", id); });
}

std::string TextOf(const std::optional<absl::Duration>& ttl) {
  return absl::FormatDuration(ttl.value_or(absl::InfiniteDuration()));
}

// The first failure in words.
std::string Describe(const TokensGrant& grant, const TokenQuestion& question, Failures failures) {
  switch (failures & (~failures + 1)) {  // the lowest bit
    case kPortal:
      return fmt::format("portal: is {}, call is for {}", grant.portal.id(), question.portal.id());
    case kVerb:
      return fmt::format("verbs: has {}, call is {}", ListOf(grant.verbs, VerbName), VerbName(question.verb));
    case kAdmin:
      return question.admin.has_value()
                 ? fmt::format("admins: has {}, call is for {}", AdminsOf(grant), *question.admin)
                 : fmt::format("admins: has {}, call names none", AdminsOf(grant));
    case kType:
      return fmt::format("types: has {}, call is {}", ListOf(grant.types, TypeWord),
                         TypeWord(TypeOf(question).value_or(TokenType::kLmv1)));
    case kLease:
      return fmt::format("max_ttl: is {}, call asks for {}", TextOf(grant.max_ttl), TextOf(question.ttl));
    case kHandOver:
      return "hand_over: is not set, call asks for the secret";
    default:
      return "";
  }
}

Decision RefuseLease(const TokensGrant& grant) {
  return {.rule = grant.rule,
          .reason = Reason::kNoGrant,
          .message = fmt::format("The rule {} leases tokens for {} at the most (max_ttl); ask for a shorter `ttl`, or "
                                 "leave it out to get the longest.",
                                 grant.rule, TextOf(grant.max_ttl))};
}

Decision Allow(const TokensGrant& grant, const TokenQuestion& question) {
  const bool creates = question.verb == Verb::kCreate;
  return {.allowed = true,
          .rule = grant.rule,
          .ttl = creates ? (question.ttl.has_value() ? question.ttl : grant.max_ttl) : std::nullopt};
}

Decision AllowOperator(const CallerRules& caller, const TokenQuestion& question) {
  return {.allowed = true, .rule = OperatorRule(caller), .ttl = question.ttl};
}

Decision RefuseHandOver(const std::string& rule) {
  return {
      .rule = rule,
      .reason = Reason::kHandOverNotGranted,
      .message = fmt::format("The rule {} does not hand secrets over; leave hand_over out, and the broker keeps the "
                             "secret and signs with it.",
                             rule)};
}

}  // namespace

std::string OperatorRule(const CallerRules& caller) { return fmt::format("{}.operator", caller.name); }

std::string_view TypeWord(TokenType type) { return type == TokenType::kBearer ? "BEARER" : "LMV1"; }

Decision JudgeTokens(const CallerRules& caller, std::span<const TokensGrant* const> grants,
                     const TokenQuestion& question) {
  const TokensGrant* covering = nullptr;
  const TokensGrant* leasing = nullptr;  // covers all but the life that is asked for
  const TokensGrant* keeping = nullptr;  // covers all but the hand-over
  for (const TokensGrant* grant : grants) {
    const Failures failures = FailuresOf(*grant, question);
    if (failures == 0 && (covering == nullptr || GivesMore(*grant, *covering, question))) covering = grant;
    if (failures == kHandOver && keeping == nullptr) keeping = grant;
    if ((failures & ~kHandOver) == kLease && (leasing == nullptr || GivesMore(*grant, *leasing, question))) {
      leasing = grant;
    }
  }
  const bool as_operator = caller.is_operator && !question.hand_over;
  // An operator needs no grant, so one that limits its tokens does not bind it.
  const bool limited = covering != nullptr && question.verb == Verb::kCreate && covering->max_ttl.has_value();
  if (covering != nullptr && !(limited && as_operator)) return Allow(*covering, question);
  if (as_operator) return AllowOperator(caller, question);
  if (keeping != nullptr) return RefuseHandOver(keeping->rule);
  if (leasing != nullptr) return RefuseLease(*leasing);
  if (caller.is_operator) return RefuseHandOver(OperatorRule(caller));
  return {.reason = Reason::kNoGrant,
          .message = fmt::format("No token grant of the caller {} covers this; ExplainAccess names the nearest rules.",
                                 caller.name)};
}

std::vector<NearMiss> NearestTokens(const CallerRules& caller, const TokenQuestion& question) {
  std::vector<Miss> misses;
  for (const TokensGrant& grant : caller.tokens) {
    const Failures failures = FailuresOf(grant, question);
    misses.push_back({{grant.rule, Describe(grant, question, failures)}, failures});
  }
  return MostSimilar(std::move(misses));
}

}  // namespace lmbroker::policy
