#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/call_audit.h"
#include "service/audit/refusal_limiter.h"
#include "service/base/executor.h"
#include "service/core/attempts.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/forwarder.h"
#include "service/core/policy_holder.h"
#include "service/core/portal_session.h"
#include "service/core/portals.h"
#include "service/core/shared_reads.h"
#include "service/crypto/aead.h"
#include "service/crypto/envelope.h"
#include "tests/fakes/eager_scheduler.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_portal.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/fakes/memory_store.h"
#include "tests/fakes/one_key_wrapper.h"
#include "tests/fakes/recording_audit_log.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {

// The portal `acme` with its master `root` imported; the callers `operators` (operator) and `inventory` (token verbs on
// admin 32, for Bearer tokens with hand-over, for LMv1 tokens without), and `stranger` (nothing). `leased` is like
// `inventory` for LMv1 tokens, which its grant leases for an hour at the most.
class CoreTest : public testing::Test {
 protected:
  CoreTest() { ImportMaster(); }

  static constexpr std::string_view kMasterKey = "lma_Master(Key)For{Tests}=0123456789+^~";

  static PortalName Acme() { return *PortalName::FromId("acme", "portal"); }
  static AdminName Admin(std::int32_t id = 32) { return {Acme(), id}; }
  static TokenName Token41(std::int32_t admin = 32, std::int32_t id = 41) { return {Admin(admin), id}; }
  static CredentialName Credential(std::string_view id) { return *CredentialName::FromId(Acme(), id, "credential"); }

  // One RPC: its context, and its audit, which ends with it.
  class Call {
   public:
    Call(CoreTest& test, std::string name)
        : audit_(test.audit_log_, test.refusals_, test.clock_, {.id = "request-1", .caller = name}),
          context_{.caller = {.identity = "dns:" + name, .name = name, .peer = "", .is_operator = name == "operators"},
                   .request_id = "request-1",
                   .deadline = test.clock_.Monotonic() + absl::Seconds(30),
                   .cancelled = stop_.get_token(),
                   .audit = audit_} {}
    ~Call() { audit_.Outcome(absl::OkStatus()); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    CallContext& context() { return context_; }
    void Cancel() { stop_.request_stop(); }

   private:
    std::stop_source stop_;
    audit::CallAudit audit_;
    CallContext context_;
  };

  std::unique_ptr<Call> As(std::string_view name) { return std::make_unique<Call>(*this, std::string(name)); }

  PortalSession::Parts PortalParts() {
    return {.clock = clock_,
            .policy = policy_,
            .portals = portals_,
            .custody = *custody_,
            .attempts = session_attempts_,
            .rates = rates_,
            .reads = reads_};
  }

  // Of attempts on the test's own thread and clock.
  Attempts::Parts AttemptParts(http::Client& client, std::size_t most_reply_bytes) {
    return {.clock = clock_,
            .scheduler = scheduler_,
            .random = random_,
            .client = client,
            .budgets = budgets_,
            .healths = healths_,
            .logger = logger_,
            .metrics = metrics_,
            .most_reply_bytes = most_reply_bytes};
  }

  Forwarder::Parts ForwarderParts(const Attempts& attempts, std::size_t most_reply_bytes) {
    return {.scheduler = scheduler_,
            .policy = policy_,
            .custody = *custody_,
            .attempts = attempts,
            .budgets = budgets_,
            .rates = rates_,
            .reads = reads_,
            .most_reply_bytes = most_reply_bytes};
  }

  // Runs what was left for the background, and ends the pool.
  void FinishBackground() { background_.reset(); }

  // As after a restart: what the store has, opened anew.
  void Restart() { custody_ = *Custody::Open(store_, envelope_, clock_); }

  // Law 5: no token that is not of the beginning is enabled unless its secret is in the store.
  void ExpectNoLiveOrphan() {
    store_.FailAfter(0, 0);
    const auto custody = Custody::Open(store_, envelope_, clock_);
    ASSERT_THAT(custody, IsOk());
    for (const FakePortal::Row& row : portal_.tokens()) {
      if (row.status == TokenStatus::kDisabled) continue;
      const auto record = store_.GetToken({Admin(row.admin), row.id});
      ASSERT_THAT(record, IsOk()) << "token " << row.id << " is enabled and unknown";
      ASSERT_TRUE(record->credential.has_value()) << "token " << row.id << " is enabled and its secret is lost";
      const auto entry = (*custody)->Find(*record->credential);
      ASSERT_THAT(entry, IsOk());
      EXPECT_EQ((*entry)->key.secret.Reveal(), row.secret);
    }
  }

  FakeClock clock_;
  FakeRandom random_;
  MemoryStore store_;
  OneKeyWrapper keys_{random_};
  crypto::Envelope envelope_{keys_, random_};
  std::unique_ptr<Custody> custody_ = *Custody::Open(store_, envelope_, clock_);
  audit::RecordingAuditLog audit_log_;
  audit::RefusalLimiter refusals_{audit_log_, clock_};
  PolicyHolder policy_{std::make_shared<const policy::Engine>(MakePolicy())};
  Portals portals_{{{Acme(), Credential("root")}}};
  Metrics metrics_{{}};
  FakeScheduler scheduler_{clock_};
  portal::Budgets budgets_{{.clock = clock_, .scheduler = scheduler_, .metrics = metrics_}, {{Acme(), {}}}};
  portal::PortalHealths healths_{clock_, {Acme()}};
  CallerRates rates_{clock_};
  std::ostringstream log_;
  Logger logger_{{}, log_};
  SharedReads reads_{{.clock = clock_, .scheduler = scheduler_, .metrics = metrics_}};
  FakePortal portal_;
  EagerScheduler eager_scheduler_{clock_};  // of sessions, whose threads cannot let time pass
  Attempts session_attempts_{{.clock = clock_,
                              .scheduler = eager_scheduler_,
                              .random = random_,
                              .client = portal_,
                              .budgets = budgets_,
                              .healths = healths_,
                              .logger = logger_,
                              .metrics = metrics_}};
  std::optional<Executor> background_{std::in_place, Executor::Options{.threads = 1, .most_queued = 8}};

 private:
  static std::shared_ptr<const policy::Policy> MakePolicy() {
    using policy::Verb;
    policy::Policy policy;
    policy.callers.push_back({.name = "operators", .identities = {"dns:operators"}, .is_operator = true});
    policy::TokensGrant grant{
        .rule = "inventory.tokens[0]",
        .portal = Acme(),
        .admins = {32},
        .types = {TokenType::kLmv1},
        .verbs = {Verb::kCreate, Verb::kList, Verb::kGet, Verb::kUpdate, Verb::kToggle, Verb::kDelete, Verb::kRotate}};
    policy::TokensGrant handing = grant;
    handing.rule = "inventory.tokens[1]";
    handing.types = {TokenType::kBearer};
    handing.hand_over = true;
    policy.callers.push_back({.name = "inventory", .identities = {"dns:inventory"}, .tokens = {grant, handing}});
    policy::TokensGrant bearer_only = handing;
    bearer_only.rule = "bearers.tokens[0]";
    policy.callers.push_back({.name = "bearers", .identities = {"dns:bearers"}, .tokens = {bearer_only}});
    policy::TokensGrant leased = grant;
    leased.rule = "leased.tokens[0]";
    leased.max_ttl = absl::Hours(1);
    policy.callers.push_back({.name = "leased", .identities = {"dns:leased"}, .tokens = {leased}});
    policy.callers.push_back({.name = "capped", .identities = {"dns:capped"}, .tokens = {grant}, .max_tokens = 1});
    for (std::size_t i = 0; i < policy.callers.size(); ++i) {
      policy.by_name.emplace(policy.callers[i].name, i);
      policy.by_identity.emplace(policy.callers[i].identities.front(), i);
    }
    return std::make_shared<const policy::Policy>(std::move(policy));
  }

  void ImportMaster() {
    const absl::Status imported = custody_->Import({.name = Credential("root"),
                                                    .type = TokenType::kLmv1,
                                                    .access_id = "masterAccessId123456",
                                                    .master = true,
                                                    .create_time = clock_.Now(),
                                                    .secret = {}},
                                                   Secret(kMasterKey));
    if (!imported.ok()) std::abort();
  }
};

}  // namespace lmbroker::core
