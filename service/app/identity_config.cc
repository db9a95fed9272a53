#include "service/app/identity_config.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "service/app/tls_files.h"
#include "service/base/file.h"
#include "service/base/identity_text.h"
#include "service/base/text.h"
#include "service/identity/key_set.h"

namespace lmbroker::app {
namespace {

constexpr std::string_view kKey = "identity.kubernetes";
constexpr std::string_view kScheme = "https://";
constexpr std::size_t kMostName = 512;
constexpr int kMostDomains = 64;
constexpr absl::Duration kMostLeeway = absl::Minutes(5);

std::string ReadName(const std::string& key, const std::string& name, ConfigValues& values) {
  if (values.Require(key, name) && (name.size() > kMostName || HasControl(name))) {
    values.Problem(key, "must be at most 512 bytes without control characters");
  }
  return name;
}

// A port is optional, a path is not ours to choose.
void CheckAddress(const std::string& key, const std::string& address, ConfigValues& values) {
  if (!values.Require(key, address)) return;
  const std::string_view host = std::string_view(address).substr(std::min(kScheme.size(), address.size()));
  if (!address.starts_with(kScheme) || host.find('/') != std::string_view::npos) {
    values.Problem(key, "must be https://HOST[:PORT], without a path");
    return;
  }
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
  values.Address(key, has_port ? std::string(host) : std::string(host) + ":443");
}

Config::KubernetesApi ReadApi(const std::string& key, const config::v1::KubernetesApi& file, ConfigValues& values) {
  Config::KubernetesApi api{
      .address = file.address(), .ca = values.Resolve(file.ca()), .token_file = values.Resolve(file.token_file())};
  CheckAddress(ChildPath(key, "address"), file.address(), values);
  if (!api.ca.empty()) values.Check(ChildPath(key, "ca"), CheckCertificates(api.ca));
  if (!api.token_file.empty()) {
    values.Check(ChildPath(key, "token_file"), ReadFile(api.token_file, std::size_t{16} << 10).status());
  }
  return api;
}

void CheckKeyFile(const std::string& key, const std::string& path, ConfigValues& values) {
  const auto text = ReadFile(path, identity::kMostKeySetBytes);
  if (!values.Check(key, text.status())) return;
  const auto keys = identity::KeySet::Parse(*text);
  if (!keys.ok()) values.Problem(key, "names a key set that " + std::string(keys.status().message()));
}

void ReadKeys(const config::v1::Kubernetes& file, Config::Kubernetes& kubernetes, ConfigValues& values) {
  if (file.jwks_file().empty() == !file.has_discovery()) {
    values.Problem(kKey, "must have exactly one of `jwks_file` and `discovery`");
    return;
  }
  if (file.has_discovery()) {
    kubernetes.discovery = ReadApi(ChildPath(kKey, "discovery"), file.discovery(), values);
  } else {
    kubernetes.jwks_file = values.Resolve(file.jwks_file());
    CheckKeyFile(ChildPath(kKey, "jwks_file"), kubernetes.jwks_file, values);
  }
}

Config::Kubernetes ReadKubernetes(const config::v1::Kubernetes& file, ConfigValues& values) {
  Config::Kubernetes kubernetes;
  kubernetes.rules.issuer = ReadName(ChildPath(kKey, "issuer"), file.issuer(), values);
  kubernetes.rules.audience = ReadName(ChildPath(kKey, "audience"), file.audience(), values);
  ReadKeys(file, kubernetes, values);
  if (file.has_token_review()) {
    kubernetes.token_review = ReadApi(ChildPath(kKey, "token_review"), file.token_review(), values);
  }
  if (file.has_leeway()) {
    const std::string key = ChildPath(kKey, "leeway");
    kubernetes.rules.leeway = values.Duration(key, file.leeway());
    if (kubernetes.rules.leeway > kMostLeeway) values.Problem(key, "must be at most 5m");
  }
  return kubernetes;
}

std::map<std::string, std::string> ReadTrustDomains(const config::v1::Spiffe& file, ConfigValues& values) {
  const std::string key = "identity.spiffe.trust_domains";
  std::map<std::string, std::string> files;
  if (file.trust_domains().empty() || file.trust_domains().size() > kMostDomains) {
    values.Problem(key, "must have 1 to 64 trust domains");
  }
  for (const auto& [domain, path] : file.trust_domains()) {
    const std::string item = ChildPath(key, domain);
    if (!IsSpiffeId("spiffe://" + domain + "/workload")) {
      values.Problem(item, "must be named like a trust domain, such as corp.example");
    }
    const std::string resolved = values.Resolve(path);
    if (values.Require(item, path)) values.Check(item, CheckCertificates(resolved));
    files.emplace(domain, resolved);
  }
  return files;
}

}  // namespace

Config::Identity ReadIdentity(const config::v1::Identity& file, ConfigValues& values) {
  Config::Identity identity;
  if (file.has_kubernetes()) identity.kubernetes = ReadKubernetes(file.kubernetes(), values);
  if (file.has_spiffe()) identity.trust_domains = ReadTrustDomains(file.spiffe(), values);
  return identity;
}

}  // namespace lmbroker::app
