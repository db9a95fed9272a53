// What one decision of the policy costs, and that it does not grow with the policy: the figures in README.md.
//
//   build/release/bench_decisions --benchmark_min_time=1

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "service/base/issues.h"
#include "service/base/names.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"

namespace lmbroker::policy {
namespace {

PortalName Portal(int number) { return *PortalName::FromId(fmt::format("portal-{}", number), ""); }

Engine EngineOf(const std::string& yaml) {
  std::set<PortalName> portals;
  for (int i = 0; i < 10; ++i) portals.insert(Portal(i));
  Issues issues("policy.yaml");
  auto policy = ParsePolicy(yaml, portals, issues);
  if (policy == nullptr) {
    std::fprintf(stderr, "%s\n", issues.Text().c_str());
    std::abort();
  }
  return Engine(std::move(policy));
}

std::string CallerHead(int number) {
  return fmt::format("  - name: caller-{0}\n    identities: ['spiffe://corp.example/ns/team-{0}/sa/app']\n", number);
}

// So many callers with ten grants each, at ten portals.
std::string ManyCallers(std::int64_t callers) {
  std::string yaml = "callers:\n";
  for (int i = 0; i < callers; ++i) {
    yaml += CallerHead(i) + "    forward:\n";
    for (int portal = 0; portal < 10; ++portal) {
      yaml += fmt::format("      - {{portal: portal-{}, credential: reader, methods: [GET], paths: [/device/**]}}\n",
                          portal);
    }
  }
  return yaml;
}

// One caller with so many grants at one portal: exact paths, patterns and token grants.
std::string ManyGrants(std::int64_t grants) {
  std::string yaml = "callers:\n" + CallerHead(0) + "    forward:\n";
  for (int i = 0; i < grants; ++i) {
    yaml += fmt::format("      - {{portal: portal-0, credential: reader, methods: [GET, POST], paths: ['{}']}}\n",
                        i % 2 == 0 ? fmt::format("/device/devices/{}", i) : fmt::format("/team-{}/*/things/**", i));
  }
  yaml += "    tokens:\n";
  for (int i = 1; i <= grants; ++i) {
    yaml += fmt::format("      - {{portal: portal-0, admins: [{}], types: [LMV1], verbs: [create, list]}}\n", i);
  }
  return yaml;
}

ForwardQuestion Call(int portal, std::string_view path) {
  return {.portal = Portal(portal), .path = *http::CanonicalPath::Parse(path)};
}

// The last caller, and the one before it, so that nothing is found by luck.
void ManyCallersDecide(benchmark::State& state, std::string_view path, bool allowed) {
  const Engine engine = EngineOf(ManyCallers(state.range(0)));
  const Caller caller = *engine.FindCaller(fmt::format("caller-{}", state.range(0) - 1));
  const ForwardQuestion call = Call(9, path);
  for (auto _ : state) {
    const Decision decision = engine.Decide(caller, call);
    if (decision.allowed != allowed) state.SkipWithError("decided wrongly");
  }
}

void AllowedOfManyCallers(benchmark::State& state) { ManyCallersDecide(state, "/device/devices/7/instances", true); }
void RefusedOfManyCallers(benchmark::State& state) { ManyCallersDecide(state, "/setting/admins/7", false); }

void ManyGrantsDecide(benchmark::State& state, std::string_view path, bool allowed) {
  const Engine engine = EngineOf(ManyGrants(state.range(0)));
  const Caller caller = *engine.FindCaller("caller-0");
  const ForwardQuestion call = Call(0, path);
  for (auto _ : state) {
    const Decision decision = engine.Decide(caller, call);
    if (decision.allowed != allowed) state.SkipWithError("decided wrongly");
  }
}

void ExactOfManyGrants(benchmark::State& state) { ManyGrantsDecide(state, "/device/devices/8", true); }
void PatternOfManyGrants(benchmark::State& state) { ManyGrantsDecide(state, "/team-9/x/things/y/z", true); }
void RefusedOfManyGrants(benchmark::State& state) { ManyGrantsDecide(state, "/device/devices/9", false); }

void TokenOfManyGrants(benchmark::State& state) {
  const Engine engine = EngineOf(ManyGrants(state.range(0)));
  const Caller caller = *engine.FindCaller("caller-0");
  const TokenQuestion question{
      .verb = Verb::kCreate, .portal = Portal(0), .admin = static_cast<std::int32_t>(state.range(0))};
  for (auto _ : state) {
    const Decision decision = engine.Decide(caller, question);
    if (!decision.allowed) state.SkipWithError("decided wrongly");
  }
}

// Who calls, by the names of a certificate.
void IdentifyOfManyCallers(benchmark::State& state) {
  const Engine engine = EngineOf(ManyCallers(state.range(0)));
  const std::vector<std::string> identities = {
      fmt::format("spiffe://corp.example/ns/team-{}/sa/app", state.range(0) - 1)};
  for (auto _ : state) {
    const auto caller = engine.Identify(identities, "ipv4:127.0.0.1:1");
    if (!caller.ok() || caller->name.empty()) state.SkipWithError("not known");
  }
}

// What a reload costs, off the path of calls.
void Load(benchmark::State& state) {
  const std::string yaml = ManyCallers(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(EngineOf(yaml));
}

BENCHMARK(AllowedOfManyCallers)->Arg(1)->Arg(1000);
BENCHMARK(RefusedOfManyCallers)->Arg(1)->Arg(1000);
BENCHMARK(ExactOfManyGrants)->Arg(10)->Arg(1000);
BENCHMARK(PatternOfManyGrants)->Arg(10)->Arg(1000);
BENCHMARK(RefusedOfManyGrants)->Arg(10)->Arg(1000);
BENCHMARK(TokenOfManyGrants)->Arg(10)->Arg(1000);
BENCHMARK(IdentifyOfManyCallers)->Arg(1)->Arg(1000);
BENCHMARK(Load)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lmbroker::policy

BENCHMARK_MAIN();
