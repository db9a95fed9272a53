#include "service/app/foundations.h"

#include <optional>
#include <utility>
#include <vector>

#include "service/app/keyring_config.h"
#include "service/app/open_audit.h"
#include "service/base/status_macros.h"
#include "service/rpc/method_table.h"
#include "service/store/sqlite_store.h"

namespace lmbroker::app {
namespace {

Metrics::Options MetricsOf(const Config& config) {
  Metrics::Options options{.version = LMBROKER_VERSION};
  for (const rpc::MethodRow& row : rpc::AllMethods()) options.methods.emplace_back(row.name);
  for (const auto& [portal, entry] : config.portals) options.portals.push_back(portal.id());
  return options;
}

std::vector<http::Upstream> UpstreamsOf(const Config& config) {
  std::vector<http::Upstream> upstreams;
  upstreams.reserve(config.portals.size());
  for (const auto& [portal, entry] : config.portals) {
    upstreams.push_back({.portal = portal,
                         .host = entry.host,
                         .port = entry.port,
                         .ca_file = entry.ca,
                         .resolve = entry.resolve,
                         .allow_private_address = entry.allow_private_address,
                         .most_connections = entry.connections,
                         .http2 = entry.http2});
  }
  return upstreams;
}

}  // namespace

absl::StatusOr<Foundations> Foundations::Open(const Config& config) {
  Foundations parts{
      .clock = std::make_unique<SystemClock>(),
      .random = std::make_unique<SystemRandom>(),
      .logger = std::make_unique<Logger>(Logger::Options{.level = config.log.level, .format = config.log.format}),
      .metrics = std::make_unique<Metrics>(MetricsOf(config)),
      .memory = std::make_unique<ByteBudget>(config.listen.memory)};
  parts.key_source = MakeKeySource(config.keyring, *parts.clock, *parts.random);
  parts.key_watch = std::make_unique<FileWatch>(parts.key_source->files());
  parts.keys = std::make_unique<crypto::KeyHolder>();
  parts.envelope = std::make_unique<crypto::Envelope>(*parts.keys, *parts.random);
  ASSIGN_OR_RETURN(parts.store,
                   store::SqliteStore::Open({.path = config.store, .counter = config.store_counter}, *parts.random));
  ASSIGN_OR_RETURN(parts.custody, core::Custody::OpenLocked(*parts.store, *parts.envelope, *parts.clock));
  parts.audit_signer = std::make_unique<audit::SeedSigner>();
  parts.keeper = std::make_unique<core::KeyKeeper>(
      core::KeyKeeper::Parts{.clock = *parts.clock,
                             .random = *parts.random,
                             .logger = *parts.logger,
                             .metrics = *parts.metrics,
                             .source = *parts.key_source,
                             .keys = *parts.keys,
                             .store = *parts.store,
                             .custody = *parts.custody},
      [&signer = *parts.audit_signer](std::optional<Secret> seed) { signer.Set(std::move(seed)); });
  parts.key_watch->Mark();
  RETURN_IF_ERROR(parts.keeper->Start());
  parts.files = std::make_unique<audit::PosixFileSystem>();
  ASSIGN_OR_RETURN(
      parts.audit,
      OpenAudit(
          config.audit, *parts.files,
          {.clock = *parts.clock, .logger = *parts.logger, .metrics = *parts.metrics, .signer = *parts.audit_signer}));
  ASSIGN_OR_RETURN(parts.loop, http::EventLoop::Create(*parts.clock));
  ASSIGN_OR_RETURN(parts.client, http::PortalClient::Create({.memory = parts.memory.get()}, UpstreamsOf(config),
                                                            *parts.clock, *parts.loop));
  return parts;
}

}  // namespace lmbroker::app
