#include "client/cli/print.h"

#include <string_view>
#include <vector>

#include <absl/time/time.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/names.h"
#include "client/cli/table.h"

namespace lmbroker::cli {
namespace {

std::string Text(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

std::string Text(const google::protobuf::Duration& duration) {
  const absl::Duration whole = absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return absl::FormatDuration(absl::Trunc(whole, absl::Milliseconds(1)));
}

std::string YesNo(bool value) { return value ? "yes" : "no"; }

// A list of fields, one a line; empty ones are left out.
class Fields {
 public:
  void Add(const std::string& name, const std::string& value) {
    if (!value.empty()) table_.Add({name, value});
  }
  template <class Message>
  void AddIf(bool present, const std::string& name, const Message& value) {
    if (present) Add(name, Text(value));
  }
  std::string ToString() const { return table_.ToString(); }

 private:
  Table table_;
};

void AddToken(Fields& fields, const v1::Token& token) {
  fields.Add("name", ShortName(token.name()));
  fields.Add("type", v1::TokenType_Name(token.type()));
  fields.Add("status", v1::TokenStatus_Name(token.status()));
  fields.Add("note", token.note());
  fields.Add("access id", token.access_id());
  fields.Add("secret", token.masked_secret());
  fields.Add("custody", v1::Custody_Name(token.custody()));
  fields.Add("credential", ShortName(token.credential()));
  fields.Add("admin", token.admin_name());
  fields.Add("roles", fmt::format("{}", fmt::join(token.roles(), ", ")));
  fields.Add("created by", token.created_by());
  fields.AddIf(token.has_created_on(), "created on", token.created_on());
  fields.Add("last used on", token.has_last_used_on() ? Text(token.last_used_on()) : "never");
  fields.Add("last used from", token.last_auth_ip());
  fields.AddIf(token.has_expire_time(), "expires", token.expire_time());
}

std::string PortalsText(const v1::GetStatusResponse& status) {
  Table portals({"PORTAL", "REACHABLE", "MASTER", "BREAKER", "CLOCK SKEW", "STUCK LEASES"});
  Table budgets({"PORTAL", "METHOD", "ENDPOINT", "REMAINING", "LIMIT", "WINDOW", "WAITING"});
  bool has_budgets = false;
  for (const v1::PortalStatus& portal : status.portals()) {
    const bool has_breaker = portal.breaker() != v1::PortalStatus::BREAKER_UNSPECIFIED;
    portals.Add({ShortName(portal.portal()), portal.has_reachable() ? YesNo(portal.reachable()) : "not tried yet",
                 v1::PortalStatus::MasterState_Name(portal.master_state()),
                 has_breaker ? v1::PortalStatus::Breaker_Name(portal.breaker()) : "-",
                 portal.has_clock_skew() ? Text(portal.clock_skew()) : "-", std::to_string(portal.stuck_leases())});
    for (const v1::BudgetStatus& budget : portal.budgets()) {
      has_budgets = true;
      budgets.Add({ShortName(portal.portal()), budget.method(), budget.pattern(), std::to_string(budget.remaining()),
                   std::to_string(budget.limit()), Text(budget.window()), std::to_string(budget.waiting())});
    }
  }
  return has_budgets ? portals.ToString() + '\n' + budgets.ToString() : portals.ToString();
}

std::string Text(const v1::SampleCall& sample) {
  if (sample.has_forward()) {
    const v1::ForwardAccess& call = sample.forward();
    const std::string with = call.credential().empty() ? "" : " with " + ShortName(call.credential());
    const std::string_view api = call.api() == v1::INGEST ? "ingest " : "";
    return fmt::format("{} {}{} {}{}", ShortName(call.portal()), api, call.method(), call.path(), with);
  }
  if (!sample.has_token()) return sample.rpc();
  const v1::TokenAccess& call = sample.token();
  const std::string type = call.type() == v1::TOKEN_TYPE_UNSPECIFIED ? "" : " " + v1::TokenType_Name(call.type());
  const std::string life = call.has_ttl() ? " for " + Text(call.ttl()) : "";
  return fmt::format("{} tokens of {}{}{}{}", call.verb(), ShortName(call.parent()), type, life,
                     call.hand_over() ? " with the secret handed over" : "");
}

template <class Differences>
std::string DifferencesText(const std::string& title, const Differences& differences) {
  if (differences.empty()) return "";
  Table table({title, "SAMPLE", "IDENTITIES"});
  for (const v1::PolicyDifference& difference : differences) {
    const std::string identities = fmt::format("{}", fmt::join(difference.identities(), ", "));
    table.Add({difference.grant(), Text(difference.sample()), identities.empty() ? "all" : identities});
  }
  return table.ToString();
}

}  // namespace

std::string ToText(const v1::Token& token) {
  Fields fields;
  AddToken(fields, token);
  return fields.ToString();
}

std::string ToText(const v1::CreateTokenResponse& created) {
  Fields fields;
  AddToken(fields, created.token());
  if (created.has_handed_over_secret()) {
    // The one place where the product shows a key: the caller asked for it, and it cannot be read again.
    const v1::HandedOverSecret& secret = created.handed_over_secret();
    fields.Add("handed over", "once: it is not kept and cannot be shown again");
    fields.Add("access key", secret.access_key());
    fields.Add("bearer", secret.bearer());
  }
  return fields.ToString();
}

std::string ToText(const v1::ListTokensResponse& list) {
  Table table({"TOKEN", "TYPE", "STATUS", "CUSTODY", "CREDENTIAL", "ADMIN", "LAST USED", "NOTE"});
  for (const v1::Token& token : list.tokens()) {
    table.Add({ShortName(token.name()), v1::TokenType_Name(token.type()), v1::TokenStatus_Name(token.status()),
               v1::Custody_Name(token.custody()), token.credential().empty() ? "-" : ShortName(token.credential()),
               token.admin_name(), token.has_last_used_on() ? Text(token.last_used_on()) : "never", token.note()});
  }
  return table.ToString();
}

std::string ToText(const v1::RotateTokenResponse& rotated) {
  Fields fields;
  AddToken(fields, rotated.token());
  fields.Add("retiring", ShortName(rotated.retiring()));
  return fields.ToString();
}

std::string ToText(const v1::Credential& credential) {
  Fields fields;
  fields.Add("name", ShortName(credential.name()));
  fields.Add("type", v1::TokenType_Name(credential.type()));
  fields.Add("access id", credential.access_id());
  fields.Add("master", YesNo(credential.master()));
  fields.Add("status", v1::TokenStatus_Name(credential.status()));
  fields.Add("state", v1::CredentialState_Name(credential.state()));
  fields.Add("token", ShortName(credential.token()));
  fields.Add("version", std::to_string(credential.version()));
  fields.AddIf(credential.has_create_time(), "created", credential.create_time());
  fields.AddIf(credential.has_rotate_time(), "rotated", credential.rotate_time());
  fields.Add("last used", credential.has_last_use_time() ? Text(credential.last_use_time()) : "never");
  return fields.ToString();
}

std::string ToText(const v1::ListCredentialsResponse& list) {
  Table table({"CREDENTIAL", "TYPE", "STATUS", "STATE", "MASTER", "TOKEN", "LAST USED"});
  for (const v1::Credential& credential : list.credentials()) {
    table.Add({ShortName(credential.name()), v1::TokenType_Name(credential.type()),
               v1::TokenStatus_Name(credential.status()), v1::CredentialState_Name(credential.state()),
               YesNo(credential.master()), credential.token().empty() ? "-" : ShortName(credential.token()),
               credential.has_last_use_time() ? Text(credential.last_use_time()) : "never"});
  }
  return table.ToString();
}

std::string ToText(const v1::ProbeCredentialResponse& probe) {
  Fields fields;
  fields.Add("result", v1::ProbeResult_Name(probe.result()));
  fields.AddIf(probe.has_latency(), "latency", probe.latency());
  fields.AddIf(probe.has_clock_skew(), "clock skew", probe.clock_skew());
  return fields.ToString();
}

std::string ToText(const v1::ExplainAccessResponse& answer) {
  Fields fields;
  fields.Add("allowed", YesNo(answer.allowed()));
  fields.Add("rule", answer.rule());
  fields.Add("reason", answer.reason());
  if (answer.nearest().empty()) return fields.ToString();
  Table nearest({"NEAREST RULE", "WHAT FAILED"});
  for (const v1::NearMiss& miss : answer.nearest()) nearest.Add({miss.rule(), miss.failed()});
  return fields.ToString() + '\n' + nearest.ToString();
}

std::string ToText(const v1::DiffPolicyResponse& diff) {
  const std::string allowed = DifferencesText("NEWLY ALLOWED BY", diff.newly_allowed());
  const std::string refused = DifferencesText("NO LONGER ALLOWED BY", diff.newly_refused());
  if (allowed.empty() && refused.empty()) return "It allows and refuses the same.\n";
  const std::string omitted = diff.omitted() > 0 ? fmt::format("\n{} more are not shown.\n", diff.omitted()) : "";
  return allowed + (allowed.empty() || refused.empty() ? "" : "\n") + refused + omitted;
}

std::string ToText(const v1::GetStatusResponse& status) {
  Fields fields;
  fields.Add("version", status.version());
  fields.AddIf(status.has_start_time(), "started", status.start_time());
  fields.Add("sealed", YesNo(status.sealed()));
  fields.Add("policy", status.policy().digest());
  fields.AddIf(status.policy().has_load_time(), "policy loaded", status.policy().load_time());
  fields.Add("policy error", status.policy().error());
  if (status.policy().has_shadow()) {
    const v1::ShadowStatus& shadow = status.policy().shadow();
    fields.Add("shadow policy", shadow.digest().empty() ? "not loaded" : shadow.digest());
    fields.Add("shadow error", shadow.error());
    fields.Add("it would allow", std::to_string(shadow.would_allow()));
    fields.Add("it would refuse", std::to_string(shadow.would_refuse()));
  }
  fields.AddIf(status.audit().has_lag(), "audit lag", status.audit().lag());
  fields.Add("audit error", status.audit().error());
  if (status.has_rewrap()) {
    fields.Add("rewrap", fmt::format("{} of {}", status.rewrap().done(), status.rewrap().total()));
    fields.Add("keyring error", status.rewrap().error());
  }
  Table credentials({"CREDENTIAL", "STATE", "AGE"});
  for (const v1::CredentialStatus& credential : status.credentials()) {
    credentials.Add({ShortName(credential.credential()), v1::CredentialState_Name(credential.state()),
                     credential.has_age() ? Text(credential.age()) : "-"});
  }
  return fields.ToString() + '\n' + PortalsText(status) + '\n' + credentials.ToString();
}

std::string ToText(const v1::Lease& lease) {
  Fields fields;
  fields.Add("token", ShortName(lease.token()));
  fields.Add("state", v1::Lease::State_Name(lease.state()));
  fields.AddIf(lease.has_expire_time(), "expires", lease.expire_time());
  fields.AddIf(lease.has_disable_time(), "disabled", lease.disable_time());
  fields.AddIf(lease.has_next_time(), "next step", lease.next_time());
  if (lease.attempts() > 0) fields.Add("failed tries", std::to_string(lease.attempts()));
  fields.Add("last error", lease.last_error());
  return fields.ToString();
}

std::string ToText(const v1::ListLeasesResponse& list) {
  Table table({"TOKEN", "STATE", "EXPIRES", "NEXT STEP", "FAILED TRIES", "LAST ERROR"});
  for (const v1::Lease& lease : list.leases()) {
    table.Add({ShortName(lease.token()), v1::Lease::State_Name(lease.state()), Text(lease.expire_time()),
               Text(lease.next_time()), std::to_string(lease.attempts()),
               lease.last_error().empty() ? "-" : lease.last_error()});
  }
  return table.ToString();
}

std::string ToText(const v1::SealResponse&) { return "The broker is sealed.\n"; }

std::string ToText(const v1::UnsealResponse&) { return "The broker has its keys.\n"; }

std::string ToText(const google::protobuf::Empty&) { return "Done.\n"; }

}  // namespace lmbroker::cli
