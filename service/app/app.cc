#include "service/app/app.h"

#include <algorithm>
#include <set>
#include <vector>

#include "service/base/file.h"
#include "service/base/hardening.h"
#include "service/base/status_macros.h"
#include "service/policy/engine.h"

namespace lmbroker::app {
namespace {

constexpr absl::Duration kPolicyCheck = absl::Seconds(1);
constexpr absl::Duration kIdentityCheck = absl::Milliseconds(500);
constexpr absl::Duration kKeyCheck = absl::Seconds(1);
constexpr absl::Duration kUseSave = absl::Minutes(1);
constexpr absl::Duration kRotationCheck = absl::Seconds(1);
constexpr absl::Duration kLeaseCheck = absl::Seconds(1);
// What is left to do after a call, e.g. the last step of a create whose caller's time was up.
constexpr Executor::Options kBackground{.threads = 2, .most_queued = 256};
// For the ends of leases, at all portals together.
constexpr Executor::Options kLeaseWorkers{.threads = 8, .most_queued = 256};
constexpr Executor::Options kLocalWorkers{.threads = 4, .most_queued = 512};
// Files and sockets that are no caller's and no portal's.
constexpr std::size_t kOtherFiles = 64;
// Calls that one connection may have at a time, at least; more than a caller may have in flight, so that it is told.
constexpr std::size_t kLeastCalls = 100;
constexpr Executor::Options kPortalWorkers{.threads = 16, .most_queued = 512};

std::map<PortalName, std::optional<CredentialName>> MastersOf(const Config& config) {
  std::map<PortalName, std::optional<CredentialName>> masters;
  for (const auto& [portal, entry] : config.portals) masters.emplace(portal, entry.master);
  return masters;
}

std::map<PortalName, std::vector<portal::ConfiguredBudget>> BudgetsOf(const Config& config) {
  std::map<PortalName, std::vector<portal::ConfiguredBudget>> budgets;
  for (const auto& [portal, entry] : config.portals) budgets.emplace(portal, entry.budgets);
  return budgets;
}

std::set<PortalName> PortalsOf(const Config& config) {
  std::set<PortalName> names;
  for (const auto& [portal, entry] : config.portals) names.insert(portal);
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<App>> App::Start(Config config) {
  ASSIGN_OR_RETURN(Foundations parts, Foundations::Open(config));
  std::unique_ptr<App> app(new App(std::move(config), std::move(parts)));
  RETURN_IF_ERROR(app->Listen());
  return app;
}

App::App(Config config, Foundations parts)
    : config_(std::move(config)),
      parts_(std::move(parts)),
      start_time_(parts_.clock->Now()),
      portals_(MastersOf(config_)),
      shadow_({.clock = *parts_.clock, .logger = *parts_.logger, .metrics = *parts_.metrics}),
      policy_(std::make_shared<const policy::Engine>(config_.policy), start_time_, has_shadow() ? &shadow_ : nullptr),
      policy_watch_(PolicyWatchParts(), config_.policy_file, PortalsOf(config_)),
      shadow_watch_(has_shadow()
                        ? std::make_unique<PolicyWatch>(ShadowWatchParts(), config_.shadow_file, PortalsOf(config_))
                        : nullptr),
      standing_(*parts_.clock),
      tokens_(OpenTokens()),
      budgets_({.clock = *parts_.clock, .scheduler = *parts_.loop, .metrics = *parts_.metrics}, BudgetsOf(config_)),
      healths_(*parts_.clock, PortalsOf(config_)),
      jitter_(*parts_.random),
      rates_(*parts_.clock),
      reads_({.clock = *parts_.clock, .scheduler = *parts_.loop, .metrics = *parts_.metrics}),
      client_(*parts_.client, *parts_.clock, *parts_.metrics),
      attempts_({.clock = *parts_.clock,
                 .scheduler = *parts_.loop,
                 .random = jitter_,
                 .client = client_,
                 .budgets = budgets_,
                 .healths = healths_,
                 .logger = *parts_.logger,
                 .metrics = *parts_.metrics,
                 .most_reply_bytes = config_.listen.reply_body}),
      background_(kBackground),
      refusals_(*parts_.audit, *parts_.clock),
      forwarder_({.scheduler = *parts_.loop,
                  .policy = policy_,
                  .custody = *parts_.custody,
                  .attempts = attempts_,
                  .budgets = budgets_,
                  .rates = rates_,
                  .reads = reads_,
                  .most_reply_bytes = config_.listen.reply_body}),
      token_create_({.portal = SessionParts(),
                     .store = *parts_.store,
                     .custody = *parts_.custody,
                     .random = *parts_.random,
                     .background = background_}),
      token_list_(
          {.portal = SessionParts(), .store = *parts_.store, .custody = *parts_.custody, .random = *parts_.random}),
      token_admin_({.portal = SessionParts(), .store = *parts_.store, .custody = *parts_.custody}),
      credential_admin_({.portal = SessionParts(), .custody = *parts_.custody, .random = *parts_.random}),
      rotator_({.portal = SessionParts(),
                .store = *parts_.store,
                .custody = *parts_.custody,
                .random = *parts_.random,
                .scheduler = *parts_.loop,
                .healths = healths_,
                .logger = *parts_.logger}),
      lease_admin_(
          {.portal = SessionParts(), .store = *parts_.store, .custody = *parts_.custody, .random = *parts_.random}),
      leases_({.portal = SessionParts(),
               .store = *parts_.store,
               .custody = *parts_.custody,
               .random = *parts_.random,
               .audit = *parts_.audit,
               .refusals = refusals_,
               .logger = *parts_.logger,
               .workers = kLeaseWorkers}),
      policy_questions_({.policy = policy_, .portals = portals_, .custody = *parts_.custody, .healths = healths_}),
      local_workers_(kLocalWorkers),
      portal_workers_(kPortalWorkers),
      edge_({.clock = *parts_.clock,
             .scheduler = *parts_.loop,
             .random = *parts_.random,
             .policy = policy_,
             .tokens = tokens_ == nullptr ? nullptr : &tokens_->verifier(),
             .standing = standing_,
             .audit = *parts_.audit,
             .refusals = refusals_,
             .local_workers = local_workers_,
             .portal_workers = portal_workers_,
             .logger = *parts_.logger,
             .metrics = *parts_.metrics,
             .memory = *parts_.memory},
            {.total = config_.listen.in_flight, .per_caller = config_.listen.in_flight_per_caller}),
      forward_service_(edge_, forwarder_, {.body = config_.listen.request_body}),
      token_service_(edge_, {.create = token_create_, .list = token_list_, .admin = token_admin_, .rotator = rotator_}),
      credential_service_(edge_, credential_admin_, rotator_),
      policy_service_(edge_, policy_questions_, {.body = config_.listen.request_body}),
      operator_service_(edge_, {.version = LMBROKER_VERSION,
                                .start_time = start_time_,
                                .portals = portals_,
                                .custody = *parts_.custody,
                                .budgets = budgets_,
                                .healths = healths_,
                                .client = *parts_.client,
                                .audit = *parts_.audit,
                                .keeper = *parts_.keeper,
                                .leases = lease_admin_,
                                .store = *parts_.store,
                                .shadow = has_shadow() ? &shadow_ : nullptr}),
      policy_ticker_(kPolicyCheck, [this] { CheckPolicies(); }),
      key_ticker_(kKeyCheck, [this] { TendKeys(); }),
      use_ticker_(kUseSave, [this] { SaveUses(); }),
      rotation_ticker_(kRotationCheck, [this] { rotator_.Tend(); }),
      lease_ticker_(kLeaseCheck, [this] { leases_.Tick(); }) {}

PolicyWatch::Parts App::PolicyWatchParts() {
  return {.logger = *parts_.logger,
          .name = "policy",
          .take =
              [this](std::shared_ptr<const policy::Engine> engine) {
                parts_.metrics->PolicyLoaded(true);
                policy_.Swap(std::move(engine), parts_.clock->Now());
              },
          .keep =
              [this](std::string error) {
                parts_.metrics->PolicyLoaded(false);
                policy_.Keep(std::move(error));
              }};
}

PolicyWatch::Parts App::ShadowWatchParts() {
  return {.logger = *parts_.logger,
          .name = "shadow_policy",
          .take =
              [this](std::shared_ptr<const policy::Engine> engine) {
                parts_.metrics->ShadowLoaded(true);
                shadow_.Swap(std::move(engine), parts_.clock->Now());
              },
          .keep =
              [this](std::string error) {
                parts_.metrics->ShadowLoaded(false);
                shadow_.Keep(std::move(error));
              }};
}

void App::CheckPolicies() {
  policy_watch_.Check();
  if (shadow_watch_ != nullptr) shadow_watch_->Check();
}

core::PortalSession::Parts App::SessionParts() {
  return {.clock = *parts_.clock,
          .policy = policy_,
          .portals = portals_,
          .custody = *parts_.custody,
          .attempts = attempts_,
          .rates = rates_,
          .reads = reads_};
}

std::unique_ptr<CallerTokens> App::OpenTokens() {
  if (!config_.identity.kubernetes.has_value()) return nullptr;
  return std::make_unique<CallerTokens>(
      CallerTokens::Parts{
          .clock = *parts_.clock, .scheduler = *parts_.loop, .logger = *parts_.logger, .metrics = *parts_.metrics},
      *config_.identity.kubernetes);
}

// Twice in a row is a caller's call looked at that is not let in any more: first it is told to end, then cut off.
void App::CheckIdentities() {
  if (tokens_ != nullptr) tokens_->Check();
  parts_.loop->Post([calls = edge_.calls()] { calls->CutOff(); });
  if (listener_tls_->Check()) JudgeCallsAgain();
}

void App::JudgeCallsAgain() {
  parts_.loop->Post([calls = edge_.calls()] { calls->JudgeAgain(); });
}

// Said, not refused: fewer connections than configured are served as well as they can be.
void App::CheckFiles() {
  std::size_t needed = config_.listen.connections + kOtherFiles;
  for (const auto& [portal, entry] : config_.portals) needed += entry.connections;
  const std::size_t allowed = RaiseFileLimit();
  if (allowed < needed) parts_.logger->Warn("too_few_files", {{"allowed", allowed}, {"needed", needed}});
}

absl::Status App::Listen() {
  const Config::Listen& listen = config_.listen;
  CheckFiles();
  if (shadow_watch_ != nullptr) shadow_watch_->Check();  // from the first call on
  ASSIGN_OR_RETURN(
      listener_tls_,
      ListenerTls::Open({.logger = *parts_.logger, .metrics = *parts_.metrics, .standing = standing_}, config_));
  ASSIGN_OR_RETURN(
      server_,
      rpc::Server::Start({.address = listen.address,
                          .reflection = listen.reflection,
                          .most_request_bytes = listen.request_body,
                          .most_connections = listen.connections,
                          .connection_age = listen.connection_age,
                          .most_calls = std::max<std::size_t>(kLeastCalls, 2 * listen.in_flight_per_caller),
                          .most_calls_in_all = 2 * listen.in_flight + listen.connections,
                          .most_unread = listen.memory / 4},
                         {.loop = *parts_.loop,
                          .clock = *parts_.clock,
                          .logger = *parts_.logger,
                          .metrics = *parts_.metrics,
                          .tls = [tls = listener_tls_.get()] { return tls->context(); }},
                         {forward_service_, token_service_, credential_service_, policy_service_, operator_service_}));
  identity_ticker_.emplace(kIdentityCheck, [this] { CheckIdentities(); });
  ops_view_ = std::make_unique<OpsView>(OpsViewParts());
  if (!config_.ops.address.empty()) {
    ASSIGN_OR_RETURN(ops_, ops::Server::Open({.address = config_.ops.address,
                                              .address_file = config_.ops.address_file,
                                              .checks = ops_view_->Checks(),
                                              .metrics = [view = ops_view_.get()] { return view->MetricsText(); }}));
  }
  if (!listen.address_file.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(listen.address_file, server_->address() + "\n", 0644));
  }
  parts_.logger->Info("serving", {{"version", LMBROKER_VERSION},
                                  {"address", server_->address()},
                                  {"ops_address", ops_ == nullptr ? "" : ops_->address()},
                                  {"policy", config_.policy->digest},
                                  {"reflection", listen.reflection}});
  return absl::OkStatus();
}

OpsView::Parts App::OpsViewParts() {
  return {.foundations = parts_,
          .portals = portals_,
          .policy = policy_,
          .shadow = shadow_,
          .healths = healths_,
          .listener_tls = *listener_tls_,
          .draining = [this] { return draining_.load(); },
          .issuer_keys_error = [this] { return tokens_ == nullptr ? std::string() : tokens_->error(); },
          .connections = [this] { return server_->connections(); }};
}

// Reads the key ring again if it changed, and has records follow it.
void App::TendKeys() const {
  if (parts_.key_watch->Changed()) {
    parts_.key_watch->Mark();
    parts_.keeper->Reload();
  }
  parts_.keeper->Rewrap();
}

void App::SaveUses() const {
  if (const absl::Status saved = parts_.custody->SaveUses(); !saved.ok()) {
    parts_.logger->Warn("last_uses_not_saved", {{"status", saved.ToString()}});
  }
}

void App::Reload() {
  policy_watch_.Reload();
  if (shadow_watch_ != nullptr) shadow_watch_->Reload();
  if (tokens_ != nullptr) tokens_->Reload();
  if (listener_tls_->Reload()) JudgeCallsAgain();
  parts_.keeper->Reload();
}

void App::Drain() {
  parts_.logger->Info("draining", {{"in_flight", edge_.in_flight()}});
  draining_ = true;
  leases_.Stop();
  server_->Quiesce();
  edge_.StartDraining();
  rotator_.Stop();
  server_->Drain(config_.listen.drain);
  SaveUses();
  parts_.logger->Info("stopped");
}

}  // namespace lmbroker::app
