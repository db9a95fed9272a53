// The engine against a second judge, written from the contract alone and without the engine's types or tricks, over
// generated policies and questions.

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

using Words = std::vector<std::string>;

struct RawForward {
  std::string portal, credential, api;
  Words methods, paths;
  bool account_writes = false;
};
struct RawTokens {
  std::string portal;
  Words admins, types, verbs;  // admins {"any"}: any; types empty: absent
  int hours = 0;               // max_ttl; 0: absent
  bool hand_over = false;
};
struct RawCaller {
  std::string name;
  bool is_operator = false;
  std::vector<RawForward> forward;
  std::vector<RawTokens> tokens;
};
struct RawCall {
  std::string portal, credential, api, method, path;  // credential may be empty
};
struct RawVerb {
  std::string verb, portal, admin, type;  // admin, type may be empty
  bool hand_over = false;
  int hours = 0;  // ttl, with create; 0: absent
};

// "ALLOW rule" (and the credential), or the reason; for FIELD_INVALID the credentials that the caller may choose from.
using Verdict = std::string;

bool In(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// Eats pattern and path from the left, a segment at a time.
bool PathMatches(std::string pattern, std::string path) {
  if (pattern.empty() || path.empty()) return pattern.empty() && path.empty();
  if (pattern == "/**") return true;
  const auto eat = [](std::string& text) {
    const std::string segment = text.substr(0, text.find('/', 1));
    text.erase(0, segment.size());
    return segment;
  };
  const std::string wanted = eat(pattern);
  const std::string actual = eat(path);
  return (wanted == "/*" || wanted == actual) && PathMatches(pattern, path);
}

Verdict JudgeByHand(const RawCaller* caller, const RawCall& call) {
  if (Lower(call.path).find("/apitokens") != std::string::npos) return "SECRET_ENDPOINT";
  if (caller == nullptr) return "NO_GRANT";
  const std::string lower = Lower(call.path);
  const bool account =
      call.method != "GET" && (lower.starts_with("/setting/admins") || lower.starts_with("/setting/roles"));
  Words matching, allowed;
  for (std::size_t i = 0; i < caller->forward.size(); ++i) {
    const RawForward& grant = caller->forward[i];
    bool path = false;
    for (const std::string& pattern : grant.paths) path = path || PathMatches(pattern, call.path);
    if (grant.portal == call.portal && grant.api == call.api && In(grant.methods, call.method) && path &&
        (call.credential.empty() || call.credential == grant.credential)) {
      matching.push_back(grant.credential);
      if (!account || grant.account_writes) {
        allowed.push_back(fmt::format("ALLOW {}.forward[{}] {}", caller->name, i, grant.credential));
      }
    }
  }
  if (matching.empty()) return "NO_GRANT";
  if (allowed.empty()) return "ACCOUNT_ENDPOINT";
  Words choice;
  for (const std::string& verdict : allowed) {
    const std::string name = "portals/" + call.portal + "/credentials/" + verdict.substr(verdict.rfind(' ') + 1);
    if (!In(choice, name)) choice.push_back(name);
  }
  if (choice.size() == 1) return allowed[0];
  Verdict verdict = "FIELD_INVALID";
  for (std::size_t i = 0; i < choice.size() && i < 6; ++i) {
    verdict += (i == 0 ? " " : ", ") + (i < 5 ? choice[i] : "…");
  }
  return verdict;
}

Verdict JudgeByHand(const RawCaller* caller, const RawVerb& call) {
  if (caller == nullptr) return "NO_GRANT";
  const std::string type = call.type.empty() && call.verb == "create" ? "LMV1" : call.type;
  const bool create = call.verb == "create";
  const RawTokens* best = nullptr;  // with the longest life, and before others that are as long
  bool keeps = false;
  bool limits = false;
  for (const RawTokens& grant : caller->tokens) {
    const bool admin =
        call.admin.empty() ? call.verb == "list" : In(grant.admins, "any") || In(grant.admins, call.admin);
    if (grant.portal != call.portal || !In(grant.verbs, call.verb) || !admin) continue;
    if (!type.empty() && !grant.types.empty() && !In(grant.types, type)) continue;
    if (create && grant.hours != 0 && call.hours > grant.hours) {
      limits = true;
    } else if (call.hand_over && !grant.hand_over) {
      keeps = true;
    } else if (best == nullptr || (create && best->hours != 0 && (grant.hours == 0 || grant.hours > best->hours))) {
      best = &grant;
    }
  }
  const bool limited = best != nullptr && create && best->hours != 0;
  if (caller->is_operator && !call.hand_over && (best == nullptr || limited)) {
    return fmt::format("ALLOW {}.operator", caller->name);
  }
  if (best != nullptr) return fmt::format("ALLOW {}.tokens[{}]", caller->name, best - caller->tokens.data());
  if (keeps) return "HAND_OVER_NOT_GRANTED";
  return !limits && caller->is_operator ? "HAND_OVER_NOT_GRANTED" : "NO_GRANT";
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  const std::string& One(const Words& words) { return words[random_() % words.size()]; }
  Words Some(const Words& words, int percent) {
    Words some;
    for (const std::string& word : words) {
      if (Chance(percent)) some.push_back(word);
    }
    if (some.empty()) some.push_back(One(words));
    return some;
  }

  RawCaller Caller(const std::string& name) {
    RawCaller caller{.name = name, .is_operator = Chance(20)};
    for (auto i = random_() % 9; i > 0; --i) {
      caller.forward.push_back(
          {One(kPortals), One(kCredentials), One(kApis), Some(kMethods, 50), Some(kPatterns, 25), Chance(30)});
    }
    for (auto i = random_() % 5; i > 0; --i) {
      caller.tokens.push_back({One(kPortals), Chance(30) ? Words{"any"} : Some(kAdmins, 30),
                               Chance(40) ? Words{} : Some(kTypes, 50), Some(kVerbs, 40), Hours(), Chance(30)});
    }
    return caller;
  }
  RawCall Call() {
    return {One(kPortals), Chance(70) ? "" : One(kCredentials), One(kApis), One(kMethods), One(kPaths)};
  }
  // A caller with many grants at one portal, whose patterns overlap in every way.
  RawCaller Crowded(const std::string& name) {
    RawCaller caller{.name = name, .is_operator = Chance(10)};
    for (auto i = 10 + random_() % 60; i > 0; --i) {
      Words patterns;
      for (auto j = 1 + random_() % 2; j > 0; --j) patterns.push_back(Pattern());
      caller.forward.push_back({"acme", One(kManyCredentials), Chance(80) ? "management" : "ingest", Some(kMethods, 30),
                                patterns, Chance(30)});
    }
    for (auto i = 10 + random_() % 40; i > 0; --i) {
      caller.tokens.push_back({"acme", Chance(15) ? Words{"any"} : Some(kAdmins, 20),
                               Chance(40) ? Words{} : Some(kTypes, 50), Some(kVerbs, 15), Hours(), Chance(30)});
    }
    return caller;
  }
  std::string Pattern() {
    std::string pattern;
    for (auto i = 1 + random_() % 4; i > 0; --i) pattern += "/" + (Chance(30) ? "*" : One(kSegments));
    return Chance(25) ? pattern + "/**" : pattern;
  }
  RawCall CrowdedCall() {
    std::string path;
    for (auto i = 1 + random_() % 5; i > 0; --i) path += "/" + One(kSegments);
    return {"acme", Chance(60) ? "" : One(kManyCredentials), Chance(80) ? "management" : "ingest", One(kMethods), path};
  }

  RawVerb Tokens() {
    RawVerb call{One(kVerbs), One(kPortals), Chance(15) ? "" : One(kAdmins), Chance(40) ? "" : One(kTypes), Chance(30)};
    if (call.verb == "create") call.hours = Hours();
    return call;
  }
  int Hours() { return Chance(40) ? 1 + static_cast<int>(random_() % 3) : 0; }

 private:
  const Words kPortals = {"acme", "acme", "globex"};
  const Words kCredentials = {"reader", "writer"};
  const Words kManyCredentials = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
  const Words kSegments = {"device", "setting", "admins", "roles", "7", "SETTING"};
  const Words kApis = {"management", "management", "ingest"};
  const Words kMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  const Words kPatterns = {"/**",         "/*",         "/device/**",  "/device/devices",   "/device/devices/*",
                           "/device/*/7", "/*/devices", "/setting/**", "/setting/admins/*", "/setting/roles",
                           "/log/ingest", "/setting/*"};
  const Words kPaths = {"/device",
                        "/device/devices",
                        "/device/devices/7",
                        "/device/groups/7",
                        "/device/devices/7/x",
                        "/other",
                        "/setting/admins",
                        "/setting/admins/32",
                        "/Setting/Admins/32",
                        "/setting/roles",
                        "/SETTING/ROLES/1",
                        "/setting/admins/32/apitokens",
                        "/setting/apiTokens",
                        "/setting/collectors",
                        "/log/ingest",
                        "/Device/devices",
                        "/device/devices "};
  const Words kAdmins = {"7", "32", "33"};
  const Words kTypes = {"LMV1", "BEARER"};
  const Words kVerbs = {"create", "list", "get", "update", "toggle", "delete", "rotate"};

  std::mt19937 random_;
};

std::string Yaml(const std::vector<RawCaller>& callers) {
  const auto list = [](const Words& words) { return fmt::format("[\"{}\"]", fmt::join(words, "\", \"")); };
  std::string out = "callers:\n";
  for (const RawCaller& caller : callers) {
    out += fmt::format("  - name: {}\n    identities: ['dns:{}.example']\n    operator: {}\n    forward:\n",
                       caller.name, caller.name, caller.is_operator);
    if (caller.forward.empty()) out += "      []\n";
    for (const RawForward& grant : caller.forward) {
      out += fmt::format(
          "      - {{portal: {}, credential: {}, api: {}, methods: {}, paths: {}, account_writes: {}}}\n", grant.portal,
          grant.credential, grant.api, list(grant.methods), list(grant.paths), grant.account_writes);
    }
    out += caller.tokens.empty() ? "    tokens: []\n" : "    tokens:\n";
    for (const RawTokens& grant : caller.tokens) {
      out += fmt::format("      - {{portal: {}, admins: {}, verbs: {}, hand_over: {}{}{}}}\n", grant.portal,
                         list(grant.admins), list(grant.verbs), grant.hand_over,
                         grant.hours != 0 ? fmt::format(", max_ttl: {}h", grant.hours) : "",
                         grant.types.empty() ? "" : ", types: " + list(grant.types));
    }
  }
  return out;
}

ForwardQuestion QuestionOf(const RawCall& call) {
  ForwardQuestion question{.portal = Portal(call.portal),
                           .api = call.api == "ingest" ? http::Api::kIngest : http::Api::kManagement,
                           .method = *http::ParseMethod(call.method),
                           .path = Path(call.path)};
  if (!call.credential.empty()) question.credential = Credential(call.portal, call.credential);
  return question;
}

TokenQuestion QuestionOf(const RawVerb& call) {
  TokenQuestion question{.verb = *ParseVerb(call.verb), .portal = Portal(call.portal), .hand_over = call.hand_over};
  if (!call.admin.empty()) question.admin = std::stoi(call.admin);
  if (call.hours != 0) question.ttl = absl::Hours(call.hours);
  if (!call.type.empty()) question.type = call.type == "LMV1" ? TokenType::kLmv1 : TokenType::kBearer;
  return question;
}

Verdict VerdictOf(const Decision& decision) {
  if (decision.reason == Reason::kFieldInvalid) {
    const std::string choice = decision.message.substr(decision.message.find("portals/"));
    return "FIELD_INVALID " + choice.substr(0, choice.size() - 1);  // without the full stop
  }
  if (!decision.allowed) return std::string(ReasonName(*decision.reason));
  return decision.credential.has_value() ? fmt::format("ALLOW {} {}", decision.rule, decision.credential->id())
                                         : fmt::format("ALLOW {}", decision.rule);
}

// Decide and Explain say the same, and every refusal is explained.
template <class Question>
void ExpectSame(const Engine& engine, const Caller& caller, const Question& question) {
  const Decision decided = engine.Decide(caller, question);
  const Decision explained = engine.Explain(caller, question);
  EXPECT_EQ(VerdictOf(decided), VerdictOf(explained));
  EXPECT_EQ(decided.rule, explained.rule);
  EXPECT_EQ(decided.message, explained.message);
  EXPECT_TRUE(decided.nearest.empty());
  EXPECT_LE(explained.nearest.size(), 5U);
  EXPECT_EQ(decided.message.empty(), decided.allowed);
  for (const NearMiss& near : explained.nearest) EXPECT_FALSE(near.failed.empty()) << near.rule;
}

struct Tally {
  std::map<std::string, int> verdicts;
  void Count(const Verdict& verdict) { ++verdicts[verdict.substr(0, verdict.find(' '))]; }
};

// A world of callers, its questions, and how often each verdict came.
class Matrix {
 public:
  // Asks both judges; false when they differ, for one counterexample is enough to read.
  template <class Raw>
  bool Agree(const Engine& engine, const std::string& yaml, const RawCaller* raw, const Raw& call, Tally& tally) {
    const Caller caller = raw != nullptr ? *engine.FindCaller(raw->name) : Caller{.identity = "dns:stranger.example"};
    const Verdict wanted = JudgeByHand(raw, call);
    EXPECT_EQ(VerdictOf(engine.Decide(caller, QuestionOf(call))), wanted)
        << yaml << "caller " << caller.name << " " << Text(call);
    ExpectSame(engine, caller, QuestionOf(call));
    tally.Count(wanted);
    ++asked_;
    return !::testing::Test::HasFailure();
  }
  int asked() const { return asked_; }

 private:
  static std::string Text(const RawCall& call) {
    return fmt::format("portal {} credential {} {} {} {}", call.portal, call.credential, call.api, call.method,
                       call.path);
  }
  static std::string Text(const RawVerb& call) {
    return fmt::format("{} {} admin {} type {} hand_over {} hours {}", call.verb, call.portal, call.admin, call.type,
                       call.hand_over, call.hours);
  }

  int asked_ = 0;
};

TEST(EngineMatrixTest, EngineAgreesWithAJudgeByHand) {
  Generator generator(20221);
  Matrix matrix;
  Tally forward;
  Tally tokens;
  for (int round = 0; round < 60; ++round) {
    const std::vector<RawCaller> callers = {generator.Caller("a"), generator.Caller("b"), generator.Caller("c")};
    const std::string yaml = Yaml(callers);
    const Engine engine = EngineOf(yaml);
    for (int i = 0; i < 60; ++i) {
      const std::size_t who = static_cast<std::size_t>(i) % 4;  // the fourth is a stranger
      const RawCaller* raw = who < 3 ? &callers[who] : nullptr;
      if (!matrix.Agree(engine, yaml, raw, generator.Call(), forward)) return;
      if (!matrix.Agree(engine, yaml, raw, generator.Tokens(), tokens)) return;
    }
  }
  EXPECT_GE(matrix.asked(), 7'000);
  // The generator reaches every verdict often enough for the agreement to mean something.
  for (const char* verdict : {"ALLOW", "NO_GRANT", "ACCOUNT_ENDPOINT", "SECRET_ENDPOINT", "FIELD_INVALID"}) {
    EXPECT_GE(forward.verdicts[verdict], 20) << verdict;
  }
  for (const char* verdict : {"ALLOW", "NO_GRANT", "HAND_OVER_NOT_GRANTED"}) {
    EXPECT_GE(tokens.verdicts[verdict], 100) << verdict;
  }
}

// The index finds among many grants what a judge finds who looks at all of them.
TEST(EngineMatrixTest, CallersWithManyGrantsAreJudgedByTheSameRules) {
  Generator generator(20222);
  Matrix matrix;
  Tally forward;
  Tally tokens;
  for (int round = 0; round < 40; ++round) {
    const std::vector<RawCaller> callers = {generator.Crowded("a")};
    const std::string yaml = Yaml(callers);
    const Engine engine = EngineOf(yaml);
    for (int i = 0; i < 100; ++i) {
      if (!matrix.Agree(engine, yaml, callers.data(), generator.CrowdedCall(), forward)) return;
      if (!matrix.Agree(engine, yaml, callers.data(), generator.Tokens(), tokens)) return;
    }
  }
  EXPECT_GE(matrix.asked(), 8'000);
  for (const char* verdict : {"ALLOW", "NO_GRANT", "ACCOUNT_ENDPOINT", "FIELD_INVALID"}) {
    EXPECT_GE(forward.verdicts[verdict], 20) << verdict;
  }
  for (const char* verdict : {"ALLOW", "NO_GRANT", "HAND_OVER_NOT_GRANTED"}) {
    EXPECT_GE(tokens.verdicts[verdict], 50) << verdict;
  }
}

}  // namespace
}  // namespace lmbroker::policy
