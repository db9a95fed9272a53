#include "service/http/unreachable.h"

#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::http {
namespace {

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
      return "resolve";
    case Phase::kConnect:
      return "connect";
    case Phase::kTls:
      return "tls";
    case Phase::kSend:
      return "send";
    case Phase::kReceive:
      return "receive";
  }
  return "";
}

std::string_view NextStep(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
      return "check the portal's host name and the name server";
    case Phase::kConnect:
      return "check the portal's address and the firewall";
    case Phase::kTls:
      return "check the portal's certificate and the configured `ca`";
    case Phase::kSend:
    case Phase::kReceive:
      return "try again";
  }
  return "";
}

}  // namespace

absl::Status Unreachable(const PortalName& portal, Phase phase, std::string_view problem) {
  return Refuse(Reason::kPortalUnreachable,
                fmt::format("The broker got no answer from {}: {}; {}.", portal.ToString(), problem, NextStep(phase)),
                {.metadata = {{"portal", portal.ToString()}, {"phase", std::string(PhaseName(phase))}}});
}

}  // namespace lmbroker::http
