#include "service/policy/expect.h"

#include <cstddef>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "service/policy/engine.h"
#include "service/policy/grant_parser.h"

namespace lmbroker::policy {
namespace {

namespace v1 = config::v1;

// The call of an expectation as a question; unset when it is no call, with the reasons in `issues`.
std::optional<ForwardQuestion> QuestionOf(const v1::ExpectedCall& call, const std::string& path,
                                          const std::set<PortalName>& portals, Issues& issues) {
  GrantParser parser(portals, issues);
  const auto portal = parser.ParsePortal(call.portal(), ChildPath(path, "portal"));
  const auto api = parser.ParseApi(call.api(), call.has_api(), ChildPath(path, "api"));
  const auto method = http::ParseMethod(call.method());
  if (!method.ok()) issues.Add(ChildPath(path, "method"), "must be GET, POST, PUT, PATCH or DELETE, in upper case");
  const auto canonical = http::CanonicalPath::Parse(call.path());
  if (!canonical.ok()) issues.Add(ChildPath(path, "path"), "must be a plain path such as /device/devices/7");
  if (!portal.has_value() || !api.has_value() || !method.ok() || !canonical.ok()) return std::nullopt;
  return ForwardQuestion{.portal = *portal, .api = *api, .method = *method, .path = *canonical};
}

void Check(const v1::Expectation& expectation, const std::string& path, const Engine& engine, const Caller& caller,
           const std::set<PortalName>& portals, Issues& issues) {
  if (expectation.has_allow() == expectation.has_refuse()) {
    return issues.Add(path, "must have either allow or refuse");
  }
  const bool expected = expectation.has_allow();
  const std::string call_path = ChildPath(path, expected ? "allow" : "refuse");
  const auto question = QuestionOf(expected ? expectation.allow() : expectation.refuse(), call_path, portals, issues);
  if (!question.has_value()) return;
  const Decision decision = engine.Explain(caller, *question);
  if (decision.allowed == expected) return;
  if (decision.allowed) return issues.Add(call_path, fmt::format("fails: the rule {} allows it", decision.rule));
  std::string why(ReasonName(*decision.reason));
  for (const NearMiss& near : decision.nearest) why += fmt::format("; {}: {}", near.rule, near.failed);
  issues.Add(call_path, fmt::format("fails: it is refused, {}", why));
}

}  // namespace

void CheckExpectations(const v1::Policy& file, const std::shared_ptr<const Policy>& policy,
                       const std::set<PortalName>& portals, Issues& issues) {
  const Engine engine(policy);
  for (int i = 0; i < file.callers_size(); ++i) {
    const std::string path = ChildPath(ItemPath("callers", static_cast<std::size_t>(i)), "expect");
    const Caller caller{.name = file.callers(i).name()};
    for (int j = 0; j < file.callers(i).expect_size(); ++j) {
      Check(file.callers(i).expect(j), ItemPath(path, static_cast<std::size_t>(j)), engine, caller, portals, issues);
    }
  }
}

}  // namespace lmbroker::policy
