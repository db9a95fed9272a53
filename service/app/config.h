#pragma once

// The configuration file as checked values (contract, section 4). A Config exists only when all of it is good.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

#include "service/base/issues.h"
#include "service/base/log.h"
#include "service/base/names.h"
#include "service/crypto/transit_keys.h"
#include "service/identity/service_account.h"
#include "service/policy/model.h"
#include "service/portal/budget_rows.h"

namespace lmbroker::app {

// Every path is absolute or relative to the working directory, whatever it is in the file.
struct Config {
  struct Listen {
    std::string address;
    std::string address_file;  // empty: none
    std::string certificate;
    std::string key;
    std::string client_ca;
    std::string revoked;  // empty: nobody
    bool reflection = false;
    std::size_t request_body = 8 << 20;
    std::size_t reply_body = 32 << 20;
    std::size_t in_flight = 4096;
    std::size_t in_flight_per_caller = 512;
    std::size_t connections = 2048;
    std::size_t memory = std::size_t{1} << 30;
    absl::Duration connection_age = absl::Hours(1);
    absl::Duration drain = absl::Seconds(20);
  };
  struct Ops {
    std::string address;
    std::string address_file;  // empty: none
  };
  struct Keyring {
    std::string file;                                     // the key ring file; empty with `transit`
    std::optional<crypto::TransitKeys::Options> transit;  // the key of a Transit engine
  };
  // Of the fields below the kind, each belongs to one kind.
  struct AuditSink {
    enum class Kind { kFile, kStdout, kSyslog };
    Kind kind = Kind::kFile;
    std::string path;                // file
    std::uint64_t rotate_bytes = 0;  // file; 0: never
    absl::Duration rotate_every = absl::InfiniteDuration();
    std::string socket = "/dev/log";  // syslog
    int facility = 0;                 // syslog, its number
  };
  struct Audit {
    std::vector<AuditSink> sinks;  // at least one
    bool need_all = true;          // else any suffices
    std::string head;              // empty: none
  };
  struct KubernetesApi {
    std::string address;     // https://HOST[:PORT]
    std::string ca;          // empty: the system's
    std::string token_file;  // empty: none
  };
  struct Kubernetes {
    identity::TokenRules rules;
    std::string jwks_file;  // or:
    std::optional<KubernetesApi> discovery;
    std::optional<KubernetesApi> token_review;
  };
  struct Identity {
    std::optional<Kubernetes> kubernetes;
    std::map<std::string, std::string>
        trust_domains;  // a file of authorities for each; none: `client_ca` vouches for all
  };
  struct Portal {
    std::string host;
    std::uint16_t port = 443;
    std::string ca;       // empty: the system's
    std::string resolve;  // empty: ask DNS
    bool allow_private_address = false;
    std::optional<CredentialName> master;
    std::size_t connections = 64;
    bool http2 = true;
    std::vector<portal::ConfiguredBudget> budgets;
  };

  Listen listen;
  Ops ops;
  std::string store;          // the SQLite file
  std::string store_counter;  // its counter file
  Keyring keyring;
  std::string policy_file;
  std::shared_ptr<const policy::Policy> policy;
  std::string shadow_file;  // the policy that is judged beside it; empty: none
  Audit audit;
  Logger::Options log;
  Identity identity;
  std::map<PortalName, Portal> portals;
};

// Reads and checks the file and everything that it names: certificates, keys and their modes, the policy, directories.
// Nothing when there is any problem; then `issues` has them all, those of the policy file too.
std::optional<Config> LoadConfig(const std::string& path, Issues& issues);

// The same for the `text` of a file that stands at `path`.
std::optional<Config> ReadConfig(std::string_view text, const std::string& path, Issues& issues);

}  // namespace lmbroker::app
