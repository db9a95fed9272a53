#include "service/audit/refusal_limiter.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace lmbroker::audit {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(1);
constexpr std::string_view kRest;  // the source of those that are too many to be told apart

// "ipv4:10.0.0.7" of "ipv4:10.0.0.7:43210": a new connection is no new source.
std::string_view WithoutPort(std::string_view peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

RefusalLimiter::RefusalLimiter(AuditLog& log, const Clock& clock)
    : log_(log), clock_(clock), start_(clock.Monotonic()), thread_([this] { Work(); }) {}

RefusalLimiter::~RefusalLimiter() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
  Write(sources_);
}

bool RefusalLimiter::Admit(std::string_view identity, std::string_view peer, std::size_t bytes) {
  WriteCounts();
  const MutexLock lock(mutex_);
  Source& source = Find(identity, WithoutPort(peer));
  if (source.admitted < kPairsPerSecond && Spend(identity.empty() ? WithoutPort(peer) : identity, bytes)) {
    ++source.admitted;
    return true;
  }
  ++source.counted;
  if (!std::exchange(counting_, true)) changed_.notify_one();
  return false;
}

RefusalLimiter::Source& RefusalLimiter::Find(std::string_view identity, std::string_view address) {
  const std::string_view key = identity.empty() ? address : identity;
  if (const auto found = sources_.find(key); found != sources_.end()) return found->second;
  if (sources_.size() >= kMostSources) return sources_[std::string(kRest)];
  return sources_
      .emplace(key, Source{.identity = std::string(identity), .peer = std::string(identity.empty() ? address : "")})
      .first->second;
}

bool RefusalLimiter::Spend(std::string_view key, std::size_t bytes) {
  auto found = allowances_.find(key);
  if (found == allowances_.end()) {
    if (allowances_.size() >= kMostSources) key = kRest;
    found = allowances_.try_emplace(std::string(key)).first;
  }
  Allowance& allowance = found->second;
  allowance = At(allowance, clock_.Monotonic());
  if (allowance.bytes < bytes) return false;
  allowance.bytes -= bytes;
  return true;
}

RefusalLimiter::Allowance RefusalLimiter::At(const Allowance& allowance, absl::Duration now) {
  const double gained = absl::ToDoubleSeconds(now - allowance.at) * static_cast<double>(kBytesPerSecond);
  const double bytes = std::min(static_cast<double>(allowance.bytes) + gained, static_cast<double>(kMostBytes));
  return {.bytes = static_cast<std::size_t>(bytes), .at = now};
}

void RefusalLimiter::WriteCounts() {
  Sources ended;
  {
    const MutexLock lock(mutex_);
    ended = TakeEnded();
  }
  Write(ended);
}

RefusalLimiter::Sources RefusalLimiter::TakeEnded() {
  const absl::Duration now = clock_.Monotonic();
  if (now - start_ < kPeriod) return {};
  start_ = now;
  counting_ = false;
  std::erase_if(allowances_, [&](const auto& entry) { return At(entry.second, now).bytes == kMostBytes; });
  return std::exchange(sources_, {});
}

void RefusalLimiter::Write(const Sources& sources) {
  for (const auto& [key, source] : sources) {
    if (source.counted == 0) continue;
    const Record record{.kind = Kind::kRefusals,
                        .time = clock_.Now(),
                        .identity = source.identity,
                        .peer = source.peer,
                        .decision = Decision::kRefused,
                        .count = source.counted};
    log_.Write(record, Durability::kFlushedSoon, [](const absl::Status&) {});
  }
}

void RefusalLimiter::Work() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      while (!counting_ && !stopping_) changed_.wait(mutex_);
      if (!stopping_) changed_.wait_for(mutex_, absl::ToChronoMilliseconds(kPeriod));
      if (stopping_) return;
    }
    WriteCounts();
  }
}

}  // namespace lmbroker::audit
