#include "service/http/portal_client.h"

#include <algorithm>
#include <csignal>
#include <future>
#include <string>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"
#include "service/http/ip_address.h"

namespace lmbroker::http {
namespace {

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

// What is wrong with an upstream; empty when nothing is.
std::string Problem(const Upstream& upstream) {
  if (!IsHostName(upstream.host)) return fmt::format("`host` {} is not a host name", Excerpt(upstream.host));
  if (upstream.port == 0) return "`port` is 0";
  if (upstream.most_connections == 0) return "`connections` is 0";
  if (upstream.resolve.empty()) return "";
  const auto address = IpAddress::Parse(upstream.resolve);
  if (!address.has_value()) return fmt::format("`resolve` {} is not an IP address", Excerpt(upstream.resolve));
  if (!address->IsPublic() && !upstream.allow_private_address) {
    return fmt::format("`resolve` {} is not a public address, and `allow_private_address` is not set",
                       Excerpt(upstream.resolve));
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<PortalClient>> PortalClient::Create(const ConnectionPoolOptions& options,
                                                                   std::vector<Upstream> upstreams, const Clock& clock,
                                                                   EventLoop& loop) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return absl::InternalError("libcurl cannot be set up");
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): SIGPIPE can always be ignored

  std::unique_ptr<PortalClient> client(new PortalClient(clock, loop));
  std::vector<std::string> problems;
  for (Upstream& upstream : upstreams) {
    const std::string name = upstream.portal.ToString();
    if (std::string problem = Problem(upstream); !problem.empty()) {
      problems.push_back(fmt::format("{}: {}", name, problem));
      continue;
    }
    absl::StatusOr<TrustStore> trust = LoadTrustStore(upstream.ca_file);
    if (!trust.ok()) {
      problems.push_back(fmt::format("{}: {}", name, ToStd(trust.status().message())));
      continue;
    }
    const PortalName portal = upstream.portal;
    client->pools_.emplace(
        portal, std::make_unique<ConnectionPool>(std::move(upstream), *std::move(trust), options, clock, loop));
  }
  if (!problems.empty()) return absl::InvalidArgumentError(fmt::format("{}", fmt::join(problems, "\n")));
  return client;
}

PortalClient::~PortalClient() {
  loop_.Post([this] {
    for (const auto& [portal, pool] : pools_) pool->Shutdown();
  });
  // What is posted up to here may refer to the pools.
  std::promise<void> done;
  loop_.Post([&done] { done.set_value(); });
  done.get_future().wait();
}

void PortalClient::Send(OutgoingRequest request, SendOptions options, Done done) {
  const auto pool = pools_.find(request.portal());
  if (pool == pools_.end()) {
    return done({.response = Refuse(Reason::kUnknownPortal, "The broker has no such portal; check its name.")});
  }
  if (options.cancelled.stop_requested()) return done({.response = Cancelled()});
  if (options.deadline <= clock_.Monotonic()) {
    return done(
        {.response = Refuse(Reason::kDeadline, "The deadline had passed before the call was sent; allow more.")});
  }
  ConnectionPool& connections = *pool->second;
  if (loop_.OnThread()) return connections.Send(std::move(request), std::move(options), std::move(done));
  loop_.Post(
      [&connections, request = std::move(request), options = std::move(options), done = std::move(done)]() mutable {
        connections.Send(std::move(request), std::move(options), std::move(done));
      });
}

std::map<PortalName, PoolStats> PortalClient::Stats() const {
  std::map<PortalName, PoolStats> stats;
  for (const auto& [portal, pool] : pools_) stats.emplace(portal, pool->stats());
  return stats;
}

}  // namespace lmbroker::http
