// What a caller's token costs: one that was seen before, and one whose signature must be checked.
//
//   build/release/bench_tokens --benchmark_min_time=1

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "service/base/clock.h"
#include "service/identity/key_set.h"
#include "service/identity/token_check.h"
#include "service/identity/token_verifier.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

void Require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

TokenKey KeyOf(bool rsa) { return rsa ? TokenKey::Rsa("key") : TokenKey::P256("key"); }

TokenRules Rules() { return {.issuer = "https://kubernetes.default.svc", .audience = "lmbroker"}; }

// As Kubernetes writes it: some 1 100 bytes with an RSA key.
std::string TokenOf(const TokenKey& key, absl::Time now) {
  TestClaims claims(now);
  claims.kubernetes =
      R"({"namespace":"inventory","node":{"name":"node-1.example","uid":"5b8a3c5e-7a52-4f0e-9a3e-0c54d1e3a001"},)"
      R"("pod":{"name":"app-6c9f7d9b5d-x2x7q","uid":"0b6d8f1e-3a0d-4a52-8d3e-7f0a4f3b2c01"},)"
      R"("serviceaccount":{"name":"app","uid":"9f1d6f5e-7f5d-4d1e-9c3b-2f5c1a7d3e01"}})";
  claims.more = R"(,"jti":"9a0f1b60-7d9e-4c55-9c1b-5d2a8f1f0001")";
  return key.Sign(claims.ToJson());
}

// A token that was seen before: its SHA-256 and a look-up.
void Known(benchmark::State& state) {
  const SystemClock clock;
  FakeClock fake;
  FakeScheduler scheduler(fake);
  const TokenKey key = KeyOf(true);
  const auto keys = std::make_shared<IssuerKeys>();
  Require(keys->Take(key.jwks()).ok(), "no keys");
  const auto verifier = std::make_shared<TokenVerifier>(
      Rules(), TokenVerifier::Parts{.clock = clock, .scheduler = scheduler, .keys = keys});
  const std::string token = TokenOf(key, clock.Now());
  Require(verifier->Judge(token, nullptr)->ok(), "the token is bad");
  for (auto _ : state) benchmark::DoNotOptimize(verifier->Judge(token, nullptr));
  state.counters["bytes"] = static_cast<double>(token.size());
}
BENCHMARK(Known);

// A token that was not: parsed, its signature verified, its claims judged.
void Unknown(benchmark::State& state) {
  const SystemClock clock;
  const TokenKey key = KeyOf(state.range(0) == 1);
  const KeySet keys = *KeySet::Parse(key.jwks());
  const std::string token = TokenOf(key, clock.Now());
  for (auto _ : state) {
    const auto jwt = Jwt::Parse(token);
    const auto account = CheckToken(*jwt, *keys.Find(jwt->key_id), Rules(), clock.Now());
    Require(account.ok(), "the token is bad");
  }
  state.SetLabel(state.range(0) == 1 ? "RS256" : "ES256");
}
BENCHMARK(Unknown)->Arg(1)->Arg(0);

// What strangers send costs no signature where it names no key.
void Strange(benchmark::State& state) {
  const SystemClock clock;
  FakeClock fake;
  FakeScheduler scheduler(fake);
  const auto keys = std::make_shared<IssuerKeys>();
  Require(keys->Take(KeyOf(false).jwks()).ok(), "no keys");
  const auto verifier = std::make_shared<TokenVerifier>(
      Rules(), TokenVerifier::Parts{.clock = clock, .scheduler = scheduler, .keys = keys});
  const std::string token = TokenOf(TokenKey::Rsa("another"), clock.Now());
  for (auto _ : state) benchmark::DoNotOptimize(verifier->Judge(token, nullptr));
}
BENCHMARK(Strange);

}  // namespace
}  // namespace lmbroker::identity

BENCHMARK_MAIN();
