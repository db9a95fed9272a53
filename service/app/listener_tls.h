#pragma once

#include <map>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/app/config.h"
#include "service/app/file_watch.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/h2/server_tls.h"
#include "service/identity/standing.h"

namespace lmbroker::app {

// The file that `listen.tls.revoked` names; the first problem of a bad one.
absl::StatusOr<std::shared_ptr<const identity::Revocations>> ReadRevocations(const std::string& path);

// The files of the listener's TLS. What is good of them is in force with the next connection; what is bad changes
// nothing but the log, a metric and a detail of readiness. Safe for concurrent use.
class ListenerTls {
 public:
  // All must outlive this.
  struct Parts {
    Logger& logger;
    Metrics& metrics;
    identity::Standing& standing;  // is told of revocations and trust domains
  };

  // Loads all of it; anything bad is an error.
  static absl::StatusOr<std::unique_ptr<ListenerTls>> Open(const Parts& parts, const Config& config);

  // What the next connection is made with.
  h2::TlsContext context() const;

  // Reads again what has changed. True when something new is in force: who was let in before may not be now.
  bool Check();
  // Reads all of it again; true likewise.
  bool Reload();
  // What is wrong with the files on disk; empty when they are in force.
  std::string error() const;

 private:
  // What is read together, counts together, or not at all.
  struct Group {
    const char* name;  // as the metric has it
    absl::Status (ListenerTls::*load)();
    FileWatch watch;
    std::string error;  // of the files on disk; empty when they are in force
  };

  ListenerTls(const Parts& parts, const Config& config);

  bool LoadGroup(Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadCertificate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadClientCa() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadTrustDomains() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadRevocations() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool LoadAll(bool unchanged_too) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  const Config::Listen listen_;
  const bool require_certificates_;
  const std::map<std::string, std::string> trust_domains_;  // files, by name of the domain
  mutable Mutex mutex_;
  h2::TlsContext context_ ABSL_GUARDED_BY(mutex_);  // null until all of it is there
  h2::ServerIdentity identity_ ABSL_GUARDED_BY(mutex_);
  std::string client_ca_pem_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> domain_pems_ ABSL_GUARDED_BY(mutex_);
  Group certificate_ ABSL_GUARDED_BY(mutex_);
  Group client_ca_ ABSL_GUARDED_BY(mutex_);
  Group domains_ ABSL_GUARDED_BY(mutex_);
  Group revocations_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::app
