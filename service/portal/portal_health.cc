#include "service/portal/portal_health.h"

#include "service/base/error.h"

namespace lmbroker::portal {
namespace {

// A portal that does not answer for so long has failed, whatever time the caller would have given it.
constexpr absl::Duration kLongSilence = absl::Seconds(5);
constexpr int kServerErrors = 500;

}  // namespace

Breaker::Verdict VerdictOf(const http::TransferResult& result, absl::Duration took) {
  using Verdict = Breaker::Verdict;
  if (result.response.ok()) return result.response->status >= kServerErrors ? Verdict::kFailed : Verdict::kAlive;
  const absl::Status& status = result.response.status();
  if (IsRefusal(status, Reason::kPortalUnreachable) || IsRefusal(status, Reason::kPortalError)) return Verdict::kFailed;
  if (IsRefusal(status, Reason::kReplyTooLarge)) return Verdict::kAlive;
  const bool silent = IsRefusal(status, Reason::kDeadline) && took >= kLongSilence;
  return silent ? Verdict::kFailed : Verdict::kNothing;
}

PortalHealths::PortalHealths(const Clock& clock, const std::set<PortalName>& portals) {
  for (const PortalName& portal : portals) healths_.emplace(portal, std::make_unique<PortalHealth>(clock, portal));
}

PortalHealth* PortalHealths::Of(const PortalName& portal) const {
  const auto found = healths_.find(portal);
  return found == healths_.end() ? nullptr : found->second.get();
}

}  // namespace lmbroker::portal
