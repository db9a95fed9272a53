#include "service/app/config.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "lmbroker/config/v1/config.pb.h"
#include "service/app/audit_config.h"
#include "service/app/config_values.h"
#include "service/app/identity_config.h"
#include "service/app/keyring_config.h"
#include "service/app/listener_tls.h"
#include "service/app/policy_watch.h"
#include "service/app/portal_config.h"
#include "service/app/tls_files.h"
#include "service/base/file.h"
#include "service/base/yaml.h"
#include "service/base/yaml_message.h"
#include "service/policy/parse.h"

namespace lmbroker::app {
namespace {

namespace v1 = config::v1;

constexpr std::uint64_t kMostMemoryGib = 1024;
constexpr absl::Duration kLeastConnectionAge = absl::Seconds(10);
constexpr absl::Duration kMostConnectionAge = absl::Hours(168);
constexpr std::size_t kLeastMemory = std::size_t{16} << 20;  // also for a few streams

// Turns the message into checked values, section by section; every problem goes into the issues.
class ConfigReader {
 public:
  ConfigReader(const std::string& file, Issues& issues) : values_(std::filesystem::path(file).parent_path(), issues) {}

  Config Read(const v1::Config& file) {
    ReadListen(file.listen());
    config_.ops.address = values_.Address("ops.address", file.ops().address());
    config_.ops.address_file = values_.NewFile("ops.address_file", file.ops().address_file());
    ReadStore(file.store().sqlite());
    config_.keyring = ReadKeyring(file.keyring(), values_);
    config_.audit = ReadAudit(file.audit(), values_);
    ReadLog(file.log());
    config_.identity = ReadIdentity(file.identity(), values_);
    config_.portals = ReadPortals(file, values_);
    ReadPolicy(file.policy());
    return std::move(config_);
  }

 private:
  void ReadListen(const v1::Listen& file) {
    Config::Listen& listen = config_.listen;
    listen.address = values_.Address("listen.address", file.address());
    listen.address_file = values_.NewFile("listen.address_file", file.address_file());
    ReadTls(file.tls());
    listen.reflection = file.reflection();
    const v1::Limits& limits = file.limits();
    if (limits.has_request_body())
      listen.request_body = values_.Bytes("listen.limits.request_body", limits.request_body());
    if (limits.has_reply_body()) listen.reply_body = values_.Bytes("listen.limits.reply_body", limits.reply_body());
    if (limits.has_in_flight()) listen.in_flight = values_.Count("listen.limits.in_flight", limits.in_flight());
    if (limits.has_in_flight_per_caller()) {
      listen.in_flight_per_caller = values_.Count("listen.limits.in_flight_per_caller", limits.in_flight_per_caller());
    }
    if (limits.has_connections()) listen.connections = values_.Count("listen.limits.connections", limits.connections());
    ReadMemory(limits);
    if (limits.has_connection_age()) ReadConnectionAge(limits);
    if (file.has_drain()) listen.drain = values_.Duration("listen.drain", file.drain());
  }

  // The largest call must find room when it is alone: its request (as it came, and inflated), and its reply.
  void ReadMemory(const v1::Limits& limits) {
    Config::Listen& listen = config_.listen;
    const std::size_t least = std::max(kLeastMemory, 2 * listen.request_body + listen.reply_body);
    if (!limits.has_memory()) {
      listen.memory = std::max(listen.memory, least);
      return;
    }
    constexpr const char* kKey = "listen.limits.memory";
    const std::size_t problems = values_.issues().all().size();
    listen.memory = values_.Bytes(kKey, limits.memory(), kMostMemoryGib);
    if (listen.memory < least && values_.issues().all().size() == problems) {
      values_.Problem(kKey, fmt::format("must be at least {} bytes: twice request_body and once reply_body, and {}",
                                        least, kLeastMemory));
    }
  }

  void ReadConnectionAge(const v1::Limits& limits) {
    constexpr const char* kKey = "listen.limits.connection_age";
    config_.listen.connection_age = values_.Duration(kKey, limits.connection_age());
    if (config_.listen.connection_age < kLeastConnectionAge || config_.listen.connection_age > kMostConnectionAge) {
      values_.Problem(kKey, "must be 10s to 168h");
    }
  }

  void ReadTls(const v1::Tls& file) {
    Config::Listen& listen = config_.listen;
    const bool has_certificate = values_.Require("listen.tls.certificate", file.certificate());
    const bool has_key = values_.Require("listen.tls.key", file.key());
    listen.certificate = values_.Resolve(file.certificate());
    listen.key = values_.Resolve(file.key());
    listen.client_ca = values_.Resolve(file.client_ca());
    if (has_certificate && values_.Check("listen.tls.certificate", CheckCertificates(listen.certificate)) && has_key) {
      values_.Check("listen.tls.key", CheckKeyPair(listen.certificate, listen.key));
    }
    if (values_.Require("listen.tls.client_ca", file.client_ca())) {
      values_.Check("listen.tls.client_ca", CheckCertificates(listen.client_ca));
    }
    listen.revoked = values_.Resolve(file.revoked());
    if (!listen.revoked.empty()) values_.Check("listen.tls.revoked", ReadRevocations(listen.revoked).status());
  }

  void ReadStore(const v1::Sqlite& file) {
    if (!values_.Require("store.sqlite.path", file.path())) return;
    config_.store = values_.NewFile("store.sqlite.path", file.path());
    config_.store_counter =
        file.counter().empty() ? config_.store + ".counter" : values_.NewFile("store.sqlite.counter", file.counter());
  }

  void ReadLog(const v1::Log& file) {
    config_.log.level = values_.OneOf<LogLevel>("log.level", file.has_level() ? file.level() : "info",
                                                {{"debug", LogLevel::kDebug},
                                                 {"info", LogLevel::kInfo},
                                                 {"warn", LogLevel::kWarn},
                                                 {"error", LogLevel::kError}});
    config_.log.format = values_.OneOf<LogFormat>("log.format", file.has_format() ? file.format() : "json",
                                                  {{"json", LogFormat::kJson}, {"text", LogFormat::kText}});
  }

  void ReadPolicy(const v1::PolicyFiles& file) {
    // Not read here: whatever is wrong with it stops nothing.
    config_.shadow_file = file.shadow().empty() ? "" : values_.Resolve(file.shadow());
    if (!values_.Require("policy.file", file.file())) return;
    config_.policy_file = values_.Resolve(file.file());
    std::set<PortalName> portals;
    for (const auto& [portal, entry] : config_.portals) portals.insert(portal);
    const auto text = ReadPolicyFile(config_.policy_file);
    if (!values_.Check("policy.file", text.status())) return;
    Issues issues(config_.policy_file);
    config_.policy = policy::ParsePolicy(*text, portals, issues);
    values_.issues().Append(issues);
  }

  ConfigValues values_;
  Config config_;
};

}  // namespace

std::optional<Config> LoadConfig(const std::string& path, Issues& issues) {
  const auto text = ReadFile(path, kMostYamlBytes);
  if (!text.ok()) {
    issues.Add("", std::string(text.status().message()));
    return std::nullopt;
  }
  return ReadConfig(*text, path, issues);
}

std::optional<Config> ReadConfig(std::string_view text, const std::string& path, Issues& issues) {
  v1::Config file;
  ReadYaml(text, file, issues);
  Config config = ConfigReader(path, issues).Read(file);
  if (!issues.empty()) return std::nullopt;
  return config;
}

}  // namespace lmbroker::app
