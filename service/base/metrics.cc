#include "service/base/metrics.h"

#include <algorithm>
#include <sstream>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "service/base/text.h"

namespace lmbroker {
namespace {

constexpr std::string_view kOther = "other";
constexpr std::array kLatencyBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                       0.25,   0.5,   1.0,    2.5,   5.0,  10.0,  30.0};  // seconds

// The row of `name`, or the one for names that were not known at birth.
template <class Row>
Row& Find(const std::map<std::string, std::unique_ptr<Row>, std::less<>>& rows, std::string_view name) {
  const auto found = rows.find(name);
  return *(found != rows.end() ? found : rows.find(kOther))->second;
}

prometheus::Counter& AddCounter(prometheus::Registry& registry, const std::string& name, const std::string& help,
                                const prometheus::Labels& labels = {}) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

prometheus::Gauge& AddGauge(prometheus::Registry& registry, const std::string& name, const std::string& help,
                            const prometheus::Labels& labels = {}) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

}  // namespace

// A histogram that counts without the mutex of prometheus::Histogram and hands its counts over when it is read.
class Metrics::Latency {
 public:
  explicit Latency(prometheus::Histogram& histogram) : histogram_(histogram) {}

  void Observe(absl::Duration took) {
    const auto* const bound =
        std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), absl::ToDoubleSeconds(took));
    counts_.at(static_cast<std::size_t>(bound - kLatencyBounds.begin())).fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(absl::ToInt64Microseconds(took), std::memory_order_relaxed);
  }

  void HandOver() {
    std::vector<double> counts;
    counts.reserve(counts_.size());
    for (auto& count : counts_) counts.push_back(static_cast<double>(count.exchange(0, std::memory_order_relaxed)));
    histogram_.ObserveMultiple(counts, static_cast<double>(sum_us_.exchange(0, std::memory_order_relaxed)) / 1e6);
  }

 private:
  prometheus::Histogram& histogram_;
  std::array<std::atomic<std::uint64_t>, kLatencyBounds.size() + 1> counts_{};
  std::atomic<std::int64_t> sum_us_ = 0;
};

struct Metrics::Method {
  explicit Method(prometheus::Histogram& histogram) : latency(histogram) {}

  std::array<prometheus::Counter*, kCodes> calls{};
  Latency latency;
};

struct Metrics::Portal {
  Portal(prometheus::Histogram& latencies, prometheus::Histogram& waits) : latency(latencies), budget_wait(waits) {}

  std::array<prometheus::Counter*, kClasses> calls{};
  Latency latency;
  Latency budget_wait;
  prometheus::Counter* budget_refusals = nullptr;
  prometheus::Counter* repeats = nullptr;
  prometheus::Counter* quarantines = nullptr;
  prometheus::Gauge* breaker_open = nullptr;
  prometheus::Gauge* clock_skew = nullptr;
  prometheus::Gauge* stuck_leases = nullptr;
  prometheus::Counter* kept_reads = nullptr;
  prometheus::Counter* joined_reads = nullptr;
};

Metrics::Metrics(const Options& options) : registry_(std::make_unique<prometheus::Registry>()) {
  AddMethods(options.methods);
  AddPortals(options.portals);
  AddReasons();
  AddSingles(options.version);
  AddReloads();
}

Metrics::~Metrics() = default;

void Metrics::AddMethods(std::vector<std::string> methods) {
  auto& calls = prometheus::BuildCounter()
                    .Name("lmbroker_requests_total")
                    .Help("RPCs that ended, by method and gRPC code")
                    .Register(*registry_);
  auto& latency = prometheus::BuildHistogram()
                      .Name("lmbroker_request_seconds")
                      .Help("Time from the first byte of an RPC to its last, by method")
                      .Register(*registry_);
  const prometheus::Histogram::BucketBoundaries bounds(kLatencyBounds.begin(), kLatencyBounds.end());
  methods.emplace_back(kOther);
  for (const std::string& name : methods) {
    auto row = std::make_unique<Method>(latency.Add({{"method", name}}, bounds));
    for (std::size_t code = 0; code < kCodes; ++code) {
      const std::string code_name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
      row->calls.at(code) = &calls.Add({{"method", name}, {"code", code_name}});
    }
    methods_.emplace(name, std::move(row));
  }
}

void Metrics::AddPortals(std::vector<std::string> portals) {
  auto& calls = prometheus::BuildCounter()
                    .Name("lmbroker_portal_calls_total")
                    .Help("Attempts at a portal, by portal and class of the HTTP status (none: no answer)")
                    .Register(*registry_);
  auto& latency = prometheus::BuildHistogram()
                      .Name("lmbroker_portal_seconds")
                      .Help("Time that one attempt at a portal took")
                      .Register(*registry_);
  auto& waits = prometheus::BuildHistogram()
                    .Name("lmbroker_budget_wait_seconds")
                    .Help("Time that attempts waited for the portal's rate limit, of those that had to")
                    .Register(*registry_);
  auto& budget_refusals = prometheus::BuildCounter()
                              .Name("lmbroker_budget_refusals_total")
                              .Help("Attempts that the portal's rate limit left no room for in time")
                              .Register(*registry_);
  auto& shared_reads = prometheus::BuildCounter()
                           .Name("lmbroker_shared_reads_total")
                           .Help(
                               "Reads that needed no portal call of their own, by portal and where the reply came "
                               "from (memory, or a call in flight)")
                           .Register(*registry_);
  constexpr std::array<const char*, kClasses> kClassNames = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  const prometheus::Histogram::BucketBoundaries bounds(kLatencyBounds.begin(), kLatencyBounds.end());
  portals.emplace_back(kOther);
  for (const std::string& name : portals) {
    const prometheus::Labels labels = {{"portal", name}};
    auto row = std::make_unique<Portal>(latency.Add(labels, bounds), waits.Add(labels, bounds));
    row->budget_refusals = &budget_refusals.Add(labels);
    row->repeats = &AddCounter(*registry_, "lmbroker_portal_repeats_total", "Attempts that repeated one", labels);
    row->quarantines =
        &AddCounter(*registry_, "lmbroker_quarantines_total", "Credentials that the portal refused too often", labels);
    row->breaker_open = &AddGauge(*registry_, "lmbroker_portal_breaker_open",
                                  "1 while the broker sends nothing to the portal, because it failed", labels);
    row->clock_skew = &AddGauge(*registry_, "lmbroker_portal_clock_skew_seconds",
                                "The portal's clock minus the broker's, as far as known", labels);
    row->stuck_leases = &AddGauge(*registry_, "lmbroker_stuck_leases",
                                  "Leases whose token the portal does not let the broker disable or delete", labels);
    row->kept_reads = &shared_reads.Add({{"portal", name}, {"from", "memory"}});
    row->joined_reads = &shared_reads.Add({{"portal", name}, {"from", "in_flight"}});
    for (std::size_t i = 0; i < kClasses; ++i) {
      row->calls.at(i) = &calls.Add({{"portal", name}, {"class", kClassNames.at(i)}});
    }
    portals_.emplace(name, std::move(row));
  }
}

void Metrics::AddReasons() {
  auto& refusals = prometheus::BuildCounter()
                       .Name("lmbroker_refusals_total")
                       .Help("RPCs that the broker refused, by reason")
                       .Register(*registry_);
  for (std::size_t i = 0; i < kReasons; ++i) {
    refusals_.at(i) = &refusals.Add({{"reason", std::string(ReasonName(static_cast<Reason>(i)))}});
  }
}

void Metrics::AddSingles(const std::string& version) {
  constexpr const char* kStale = "1 while the policy file on disk was refused and an older one is in force, else 0";
  constexpr const char* kShadowLoads = "Loads of the shadow policy file";
  constexpr const char* kDifferences = "Calls that the shadow policy would have decided otherwise";
  prometheus::Registry& registry = *registry_;
  AddGauge(registry, "lmbroker_build_info", "Always 1; the label says what runs", {{"version", version}}).Set(1);
  in_flight_ = &AddGauge(registry, "lmbroker_in_flight", "RPCs that have not ended");
  audit_records_ = &AddCounter(registry, "lmbroker_audit_records_total", "Audit records written to the file");
  audit_refusals_ = &AddCounter(registry, "lmbroker_audit_refused_total", "Audit records that were not taken in time");
  audit_failures_ = &AddCounter(registry, "lmbroker_audit_failures_total", "Audit writes or flushes that failed");
  audit_lag_ = &AddGauge(registry, "lmbroker_audit_lag_seconds", "Age of the oldest audit record not on disk yet");
  policy_loads_ = &AddCounter(registry, "lmbroker_policy_loads_total", "Loads of the policy file", {{"result", "ok"}});
  policy_failures_ =
      &AddCounter(registry, "lmbroker_policy_loads_total", "Loads of the policy file", {{"result", "failed"}});
  key_loads_ = &AddCounter(registry, "lmbroker_keyring_loads_total", "Loads of the key ring", {{"result", "ok"}});
  key_failures_ =
      &AddCounter(registry, "lmbroker_keyring_loads_total", "Loads of the key ring", {{"result", "failed"}});
  sealed_ = &AddGauge(registry, "lmbroker_sealed", "1 while the broker is sealed");
  policy_stale_ = &AddGauge(registry, "lmbroker_policy_stale", kStale, {{"policy", "active"}});
  shadow_loads_ = &AddCounter(registry, "lmbroker_shadow_loads_total", kShadowLoads, {{"result", "ok"}});
  shadow_failures_ = &AddCounter(registry, "lmbroker_shadow_loads_total", kShadowLoads, {{"result", "failed"}});
  shadow_stale_ = &AddGauge(registry, "lmbroker_policy_stale", kStale, {{"policy", "shadow"}});
  shadow_would_allow_ =
      &AddCounter(registry, "lmbroker_shadow_differences_total", kDifferences, {{"shadow", "would_allow"}});
  shadow_would_refuse_ =
      &AddCounter(registry, "lmbroker_shadow_differences_total", kDifferences, {{"shadow", "would_refuse"}});
  body_bytes_ = &AddGauge(registry, "lmbroker_body_bytes", "Bytes of bodies that calls hold");
  connections_ = &AddGauge(registry, "lmbroker_connections", "Connections of callers");
  connections_refused_ =
      &AddCounter(registry, "lmbroker_connections_refused_total", "Connections closed at once, beyond the limit");
}

void Metrics::AddReloads() {
  auto& reloads = prometheus::BuildCounter()
                      .Name("lmbroker_reloads_total")
                      .Help("Loads of files of the listener and of identities, by what they are")
                      .Register(*registry_);
  for (const char* const what : {"certificate", "client_ca", "revoked", "trust_domains", "issuer_keys"}) {
    reloads_.emplace(what, Loads{.good = &reloads.Add({{"what", what}, {"result", "ok"}}),
                                 .failed = &reloads.Add({{"what", what}, {"result", "failed"}})});
  }
  auto& reviews = prometheus::BuildCounter()
                      .Name("lmbroker_token_reviews_total")
                      .Help("Callers' tokens about which the cluster was asked")
                      .Register(*registry_);
  token_reviews_ = {.good = &reviews.Add({{"result", "ok"}}), .failed = &reviews.Add({{"result", "refused"}})};
}

void Metrics::CallStarted() { in_flight_->Increment(); }

void Metrics::CallEnded(std::string_view method, absl::StatusCode code, absl::Duration took) {
  in_flight_->Decrement();
  Method& row = Find(methods_, method);
  const auto index = static_cast<std::size_t>(code);
  row.calls.at(index < kCodes ? index : static_cast<std::size_t>(absl::StatusCode::kUnknown))->Increment();
  row.latency.Observe(took);
}

void Metrics::Refused(Reason reason) { refusals_.at(static_cast<std::size_t>(reason))->Increment(); }

void Metrics::PortalAnswered(std::string_view portal, int http_status, absl::Duration took) {
  Portal& row = Find(portals_, portal);
  row.calls.at(static_cast<std::size_t>(std::clamp(http_status / 100, 1, 5)))->Increment();
  row.latency.Observe(took);
}

void Metrics::PortalFailed(std::string_view portal, absl::Duration took) {
  Portal& row = Find(portals_, portal);
  row.calls.at(0)->Increment();
  row.latency.Observe(took);
}

void Metrics::BudgetWaited(std::string_view portal, absl::Duration took) {
  Find(portals_, portal).budget_wait.Observe(took);
}

void Metrics::BudgetRefused(std::string_view portal) { Find(portals_, portal).budget_refusals->Increment(); }

void Metrics::Repeated(std::string_view portal) { Find(portals_, portal).repeats->Increment(); }

void Metrics::Quarantined(std::string_view portal) { Find(portals_, portal).quarantines->Increment(); }

void Metrics::SetBreakerOpen(std::string_view portal, bool open) {
  Find(portals_, portal).breaker_open->Set(open ? 1 : 0);
}

void Metrics::SetStuckLeases(std::string_view portal, std::int64_t count) {
  Find(portals_, portal).stuck_leases->Set(static_cast<double>(count));
}

void Metrics::SetClockSkew(std::string_view portal, absl::Duration skew) {
  Find(portals_, portal).clock_skew->Set(absl::ToDoubleSeconds(skew));
}

void Metrics::ReadServedFromMemory(std::string_view portal) { Find(portals_, portal).kept_reads->Increment(); }

void Metrics::ReadJoined(std::string_view portal) { Find(portals_, portal).joined_reads->Increment(); }

void Metrics::AuditWritten(std::size_t records) { audit_records_->Increment(static_cast<double>(records)); }

void Metrics::AuditRefused() { audit_refusals_->Increment(); }

void Metrics::AuditFailed() { audit_failures_->Increment(); }

void Metrics::SetAuditLag(absl::Duration lag) { audit_lag_->Set(absl::ToDoubleSeconds(lag)); }

void Metrics::PolicyLoaded(bool ok) {
  (ok ? policy_loads_ : policy_failures_)->Increment();
  policy_stale_->Set(ok ? 0 : 1);
}

void Metrics::ShadowLoaded(bool ok) {
  (ok ? shadow_loads_ : shadow_failures_)->Increment();
  shadow_stale_->Set(ok ? 0 : 1);
}

void Metrics::ShadowDiffered(bool would_allow) {
  (would_allow ? shadow_would_allow_ : shadow_would_refuse_)->Increment();
}

void Metrics::Reloaded(std::string_view what, bool ok) {
  const auto found = reloads_.find(what);
  if (found != reloads_.end()) (ok ? found->second.good : found->second.failed)->Increment();
}

void Metrics::TokenReviewed(bool ok) { (ok ? token_reviews_.good : token_reviews_.failed)->Increment(); }
void Metrics::KeysLoaded(bool ok) { (ok ? key_loads_ : key_failures_)->Increment(); }

void Metrics::SetSealed(bool sealed) { sealed_->Set(sealed ? 1 : 0); }

void Metrics::SetBodyBytes(std::size_t bytes) { body_bytes_->Set(static_cast<double>(bytes)); }

void Metrics::SetConnections(std::size_t count) { connections_->Set(static_cast<double>(count)); }

void Metrics::ConnectionRefused() { connections_refused_->Increment(); }

std::string Metrics::Text() const {
  for (const auto& [name, row] : methods_) row->latency.HandOver();
  for (const auto& [name, row] : portals_) {
    row->latency.HandOver();
    row->budget_wait.HandOver();
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, registry_->Collect());
  return std::move(out).str();
}

}  // namespace lmbroker
