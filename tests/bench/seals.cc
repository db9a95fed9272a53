// What it costs to seal a secret with the key ring, to open it, and to wrap its data key again: the figures in
// README.md. Custody opens every secret once, at its start; a call pays for none of this.
//
//   build/release/bench_seals --benchmark_min_time=1

#include <string>
#include <utility>

#include <absl/time/time.h>
#include <benchmark/benchmark.h>

#include "service/base/names.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/aead.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_ring.h"
#include "service/crypto/ring_key.h"

namespace lmbroker::crypto {
namespace {

SystemRandom system_random;

KeyRing MakeRing() {
  RingContent content{.highest_version = 1};
  content.keys.push_back({.info = {.version = 1, .state = KeyState::kPrimary, .create_time = absl::UnixEpoch()},
                          .key = Aead::NewKey(system_random)});
  return {std::move(content), system_random};
}

// A key ring, and what it sealed: a secret as long as LM's access keys.
struct Stand {
  const KeyRing ring = MakeRing();
  const Envelope envelope{ring, system_random};
  const Binding binding{.credential = *CredentialName::FromId(*PortalName::FromId("acme", ""), "reader", ""),
                        .version = 1};
  const Secret secret{std::string(44, 'k')};
  const SealedSecret sealed = *envelope.Seal(secret, binding);
};

void Seal(benchmark::State& state) {
  const Stand stand;
  for (auto _ : state) benchmark::DoNotOptimize(stand.envelope.Seal(stand.secret, stand.binding));
}

void Open(benchmark::State& state) {
  const Stand stand;
  for (auto _ : state) {
    if (!stand.envelope.Open(stand.sealed, stand.binding).ok()) state.SkipWithError("does not open");
  }
}

void Rewrap(benchmark::State& state) {
  const Stand stand;
  for (auto _ : state) {
    if (!stand.envelope.Rewrap(stand.sealed, stand.binding).ok()) state.SkipWithError("does not open");
  }
}

BENCHMARK(Seal);
BENCHMARK(Open);
BENCHMARK(Rewrap);

}  // namespace
}  // namespace lmbroker::crypto

BENCHMARK_MAIN();
