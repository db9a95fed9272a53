#include "service/app/listener_tls.h"

#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/app/tls_files.h"
#include "service/base/file.h"
#include "service/base/issues.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/base/yaml.h"
#include "service/identity/pem.h"
#include "service/identity/revocations.h"
#include "service/identity/trust_domains.h"

namespace lmbroker::app {
namespace {

std::vector<std::string> FilesOf(const std::map<std::string, std::string>& domains) {
  std::vector<std::string> files;
  files.reserve(domains.size());
  for (const auto& [domain, file] : domains) files.push_back(file);
  return files;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const identity::Revocations>> ReadRevocations(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostYamlBytes));
  Issues issues(path);
  auto revocations = identity::Revocations::Parse(text, issues);
  if (revocations == nullptr) return absl::InvalidArgumentError(issues.all().front().ToString());
  return revocations;
}

absl::StatusOr<std::unique_ptr<ListenerTls>> ListenerTls::Open(const Parts& parts, const Config& config) {
  std::unique_ptr<ListenerTls> tls(new ListenerTls(parts, config));
  tls->Reload();
  if (std::string error = tls->error(); !error.empty()) return absl::FailedPreconditionError(error);
  return tls;
}

ListenerTls::ListenerTls(const Parts& parts, const Config& config)
    : parts_(parts),
      listen_(config.listen),
      require_certificates_(!config.identity.kubernetes.has_value()),
      trust_domains_(config.identity.trust_domains),
      certificate_{"certificate", &ListenerTls::LoadCertificate, FileWatch({listen_.certificate, listen_.key})},
      client_ca_{"client_ca", &ListenerTls::LoadClientCa, FileWatch({listen_.client_ca})},
      domains_{"trust_domains", &ListenerTls::LoadTrustDomains, FileWatch(FilesOf(trust_domains_))},
      revocations_{"revoked", &ListenerTls::LoadRevocations, FileWatch({listen_.revoked})} {}

bool ListenerTls::Check() {
  const MutexLock lock(mutex_);
  return LoadAll(/*unchanged_too=*/false);
}

bool ListenerTls::Reload() {
  const MutexLock lock(mutex_);
  return LoadAll(/*unchanged_too=*/true);
}

bool ListenerTls::LoadAll(bool unchanged_too) {
  bool loaded = false;
  for (Group* const group : {&certificate_, &client_ca_, &domains_, &revocations_}) {
    if (!unchanged_too && !group->watch.Changed()) continue;
    if (LoadGroup(*group)) loaded = true;
  }
  return loaded;
}

bool ListenerTls::LoadGroup(Group& group) {
  group.watch.Mark();
  const absl::Status loaded = (this->*group.load)();
  group.error = std::string(loaded.message());
  parts_.metrics.Reloaded(group.name, loaded.ok());
  if (loaded.ok()) {
    parts_.logger.Info("listener_files_loaded", {{"what", group.name}});
  } else {
    parts_.logger.Error("listener_files_refused", {{"what", group.name}, {"problem", group.error}});
  }
  return loaded.ok();
}

absl::Status ListenerTls::LoadCertificate() {
  ASSIGN_OR_RETURN(identity_, ReadKeyPair(listen_.certificate, listen_.key));
  return Publish();
}

absl::Status ListenerTls::LoadClientCa() {
  ASSIGN_OR_RETURN(std::string pem, ReadCertificateFile(listen_.client_ca));
  client_ca_pem_ = std::move(pem);
  return Publish();
}

absl::Status ListenerTls::LoadTrustDomains() {
  std::map<std::string, std::string> pems;
  for (const auto& [domain, file] : trust_domains_) {
    ASSIGN_OR_RETURN(pems[domain], ReadCertificateFile(file));
  }
  domain_pems_ = std::move(pems);
  return Publish();
}

// First who is vouched for by whom, then whom TLS lets in.
absl::Status ListenerTls::Publish() {
  if (identity_.chain.empty() || client_ca_pem_.empty()) return absl::OkStatus();  // the first time: more will come
  std::string all = client_ca_pem_;
  for (const auto& [domain, pem] : domain_pems_) all += pem;
  if (!domain_pems_.empty()) {
    ASSIGN_OR_RETURN(auto trust, identity::TrustDomains::Make(client_ca_pem_, domain_pems_));
    parts_.standing.Put(std::move(trust));
  }
  ASSIGN_OR_RETURN(const auto authorities, identity::ReadCertificates(all));
  ASSIGN_OR_RETURN(context_, h2::MakeServerContext(identity_, authorities, require_certificates_));
  return absl::OkStatus();
}

h2::TlsContext ListenerTls::context() const {
  const MutexLock lock(mutex_);
  return context_;
}

absl::Status ListenerTls::LoadRevocations() {
  if (listen_.revoked.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto revocations, ReadRevocations(listen_.revoked));
  parts_.standing.Put(std::move(revocations));
  return absl::OkStatus();
}

std::string ListenerTls::error() const {
  const MutexLock lock(mutex_);
  std::string error;
  for (const Group* const group : {&certificate_, &client_ca_, &domains_, &revocations_}) {
    if (!group->error.empty()) error += (error.empty() ? "" : "; ") + group->error;
  }
  return error;
}

}  // namespace lmbroker::app
