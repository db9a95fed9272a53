#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/app/caller_tokens.h"
#include "service/app/config.h"
#include "service/app/foundations.h"
#include "service/app/listener_tls.h"
#include "service/app/ops_view.h"
#include "service/app/policy_watch.h"
#include "service/audit/refusal_limiter.h"
#include "service/base/executor.h"
#include "service/base/random.h"
#include "service/base/ticker.h"
#include "service/core/attempts.h"
#include "service/core/caller_rates.h"
#include "service/core/credential_admin.h"
#include "service/core/forwarder.h"
#include "service/core/lease_admin.h"
#include "service/core/leases.h"
#include "service/core/policy_holder.h"
#include "service/core/policy_questions.h"
#include "service/core/portals.h"
#include "service/core/rotator.h"
#include "service/core/shadow_policy.h"
#include "service/core/shared_reads.h"
#include "service/core/token_admin.h"
#include "service/core/token_create.h"
#include "service/core/token_list.h"
#include "service/http/metered_client.h"
#include "service/ops/server.h"
#include "service/portal/budgets.h"
#include "service/portal/portal_health.h"
#include "service/rpc/credential_service.h"
#include "service/rpc/edge.h"
#include "service/rpc/forward_service.h"
#include "service/rpc/operator_service.h"
#include "service/rpc/policy_service.h"
#include "service/rpc/server.h"
#include "service/rpc/token_service.h"

namespace lmbroker::app {

// The composition root: the one place that knows every concrete class. The order of the members is the order of the
// start; its reverse is the order of the end.
class App {
 public:
  // Starts a broker that serves when this returns. Anything that is missing or wrong is an error, and nothing is
  // served.
  static absl::StatusOr<std::unique_ptr<App>> Start(Config config);

  // Reads again the policies, the key ring, and the files of the listener and of identities.
  void Reload();
  // Not ready → no new calls → those in flight end within the configured grace, or are cut.
  void Drain();

 private:
  App(Config config, Foundations parts);
  void CheckFiles();
  absl::Status Listen();
  OpsView::Parts OpsViewParts();
  void TendKeys() const;
  void SaveUses() const;
  core::PortalSession::Parts SessionParts();
  std::unique_ptr<CallerTokens> OpenTokens();
  void CheckIdentities();
  void JudgeCallsAgain();
  bool has_shadow() const { return !config_.shadow_file.empty(); }
  PolicyWatch::Parts PolicyWatchParts();
  PolicyWatch::Parts ShadowWatchParts();
  void CheckPolicies();

  const Config config_;
  Foundations parts_;
  const absl::Time start_time_;
  std::atomic<bool> draining_ = false;
  core::Portals portals_;
  core::ShadowPolicy shadow_;
  core::PolicyHolder policy_;
  PolicyWatch policy_watch_;
  std::unique_ptr<PolicyWatch> shadow_watch_;  // null: there is none
  identity::Standing standing_;
  std::unique_ptr<CallerTokens> tokens_;  // null: tokens of callers mean nothing
  portal::Budgets budgets_;
  portal::PortalHealths healths_;
  BufferedRandom jitter_;
  core::CallerRates rates_;
  core::SharedReads reads_;
  http::MeteredClient client_;
  core::Attempts attempts_;
  Executor background_;  // what outlives its call; its work uses everything above
  audit::RefusalLimiter refusals_;
  core::Forwarder forwarder_;
  core::TokenCreate token_create_;
  core::TokenList token_list_;
  core::TokenAdmin token_admin_;
  core::CredentialAdmin credential_admin_;
  core::Rotator rotator_;
  core::LeaseAdmin lease_admin_;
  core::Leases leases_;
  core::PolicyQuestions policy_questions_;
  Executor local_workers_;
  Executor portal_workers_;
  rpc::Edge edge_;
  rpc::ForwardService forward_service_;
  rpc::TokenService token_service_;
  rpc::CredentialService credential_service_;
  rpc::PolicyService policy_service_;
  rpc::OperatorService operator_service_;
  Ticker policy_ticker_;
  Ticker key_ticker_;
  Ticker use_ticker_;
  Ticker rotation_ticker_;
  Ticker lease_ticker_;
  std::unique_ptr<ListenerTls> listener_tls_;
  std::optional<Ticker> identity_ticker_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<OpsView> ops_view_;
  std::unique_ptr<ops::Server> ops_;
};

}  // namespace lmbroker::app
