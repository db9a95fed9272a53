#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/error.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace lmbroker {

// Every number that the broker shows to Prometheus, each named in one place (metrics.cc). Counting takes no lock. Label
// values are fixed at birth, so that nobody outside can add time series: what is not known counts as "other".
// Safe for concurrent use.
class Metrics {
 public:
  struct Options {
    std::string version;
    std::vector<std::string> methods;  // gRPC, e.g. "/lmbroker.v1.TokenService/CreateToken"
    std::vector<std::string> portals;  // ids
  };

  explicit Metrics(const Options& options);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // One RPC, from its first byte to its last.
  void CallStarted();
  void CallEnded(std::string_view method, absl::StatusCode code, absl::Duration took);
  void Refused(Reason reason);

  // One attempt at a portal: answered, with whatever HTTP status, or not.
  void PortalAnswered(std::string_view portal, int http_status, absl::Duration took);
  void PortalFailed(std::string_view portal, absl::Duration took);

  // A request to a portal got its turn in the queue for the portal's rate limit.
  void BudgetWaited(std::string_view portal, absl::Duration took);
  // One did not: refused at once, or given up in the queue.
  void BudgetRefused(std::string_view portal);

  // A request was sent to a portal once more.
  void Repeated(std::string_view portal);
  // A credential of the portal was put into quarantine.
  void Quarantined(std::string_view portal);
  void SetBreakerOpen(std::string_view portal, bool open);
  void SetClockSkew(std::string_view portal, absl::Duration skew);  // the portal's clock minus ours
  void SetStuckLeases(std::string_view portal, std::int64_t count);
  // A read needed no portal call of its own: it was given a kept reply, or joined a call in flight.
  void ReadServedFromMemory(std::string_view portal);
  void ReadJoined(std::string_view portal);

  void AuditWritten(std::size_t records);
  void AuditRefused();  // a record that the log could not take
  void AuditFailed();   // a write or flush that the disk refused
  void SetAuditLag(absl::Duration lag);

  void PolicyLoaded(bool ok);
  // Files of the listener and of identities: "certificate", "client_ca", "revoked", "trust_domains", "issuer_keys".
  void Reloaded(std::string_view what, bool ok);
  void TokenReviewed(bool ok);  // what the cluster said of a caller's token; no answer is no
  void KeysLoaded(bool ok);     // from the key ring, after the start
  void SetSealed(bool sealed);
  // The same of the policy that is judged beside the one in force.
  void ShadowLoaded(bool ok);
  // It would have decided otherwise: allowed a call that was refused, or the other way round.
  void ShadowDiffered(bool would_allow);

  void SetBodyBytes(std::size_t bytes);    // what calls hold of bodies
  void SetConnections(std::size_t count);  // of callers
  void ConnectionRefused();                // beyond the limit

  // All of it in Prometheus' text format, version 0.0.4.
  std::string Text() const;

 private:
  class Latency;
  struct Method;
  struct Portal;
  static constexpr std::size_t kCodes = 17;   // the gRPC codes
  static constexpr std::size_t kClasses = 6;  // no answer, 1xx … 5xx
  static constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::kInternal) + 1;

  void AddMethods(std::vector<std::string> methods);
  void AddPortals(std::vector<std::string> portals);
  void AddReasons();
  void AddSingles(const std::string& version);
  void AddReloads();

  const std::unique_ptr<prometheus::Registry> registry_;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;
  std::map<std::string, std::unique_ptr<Portal>, std::less<>> portals_;
  std::array<prometheus::Counter*, kReasons> refusals_{};
  prometheus::Gauge* in_flight_ = nullptr;
  prometheus::Counter* audit_records_ = nullptr;
  prometheus::Counter* audit_refusals_ = nullptr;
  prometheus::Counter* audit_failures_ = nullptr;
  prometheus::Gauge* audit_lag_ = nullptr;
  prometheus::Counter* policy_loads_ = nullptr;
  prometheus::Counter* policy_failures_ = nullptr;
  struct Loads {
    prometheus::Counter* good = nullptr;
    prometheus::Counter* failed = nullptr;
  };
  std::map<std::string, Loads, std::less<>> reloads_;
  Loads token_reviews_;
  prometheus::Counter* key_loads_ = nullptr;
  prometheus::Counter* key_failures_ = nullptr;
  prometheus::Gauge* sealed_ = nullptr;
  prometheus::Gauge* policy_stale_ = nullptr;
  prometheus::Counter* shadow_loads_ = nullptr;
  prometheus::Counter* shadow_failures_ = nullptr;
  prometheus::Gauge* shadow_stale_ = nullptr;
  prometheus::Counter* shadow_would_allow_ = nullptr;
  prometheus::Counter* shadow_would_refuse_ = nullptr;
  prometheus::Gauge* body_bytes_ = nullptr;
  prometheus::Gauge* connections_ = nullptr;
  prometheus::Counter* connections_refused_ = nullptr;
};

}  // namespace lmbroker
