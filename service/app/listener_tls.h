#pragma once

#include <map>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/app/config.h"
#include "service/app/file_watch.h"
#include "service/base/log.h"
#include "service/base/memory_file.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/identity/standing.h"

namespace lmbroker::app {

// The file that `listen.tls.revoked` names; the first problem of a bad one.
absl::StatusOr<std::shared_ptr<const identity::Revocations>> ReadRevocations(const std::string& path);

// The files of the listener's TLS. gRPC reads its files by itself and refuses every connection while key and
// certificate do not match, so it is given private copies of what was found good; what is bad changes nothing but the
// log, a metric and a detail of readiness. Safe for concurrent use.
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

  // For gRPC: a file with certificate, intermediates and key, and one with every authority of callers' certificates.
  const std::string& identity_path() const { return identity_file_.path(); }
  const std::string& authorities_path() const { return authorities_file_.path(); }

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

  ListenerTls(const Parts& parts, const Config& config, MemoryFile identity_file, MemoryFile authorities_file);

  bool LoadGroup(Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadCertificate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadClientCa() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadTrustDomains() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadRevocations() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PublishAuthorities() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool LoadAll(bool unchanged_too) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  const Config::Listen listen_;
  const std::map<std::string, std::string> trust_domains_;  // files, by name of the domain
  mutable Mutex mutex_;
  MemoryFile identity_file_;
  MemoryFile authorities_file_;
  std::string client_ca_pem_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> domain_pems_ ABSL_GUARDED_BY(mutex_);
  Group certificate_ ABSL_GUARDED_BY(mutex_);
  Group client_ca_ ABSL_GUARDED_BY(mutex_);
  Group domains_ ABSL_GUARDED_BY(mutex_);
  Group revocations_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::app
