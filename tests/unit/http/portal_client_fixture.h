#pragma once

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/time/time.h>
#include <gtest/gtest.h>

#include "service/base/clock.h"
#include "service/http/portal_client.h"
#include "tests/support/outgoing_request_peer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"
#include "tests/support/tls_server.h"

namespace lmbroker::http {

inline constexpr std::string_view kHost = "acme.example";

// A real client and real TLS servers on loopback.
class PortalClientFixture : public testing::Test {
 protected:
  PortalClientFixture() { WriteFile(dir_ / "ca.crt", ca_.root()); }

  std::unique_ptr<TlsServer> Serve(TlsServer::Script script) {
    return std::make_unique<TlsServer>(ca_.IssueServer(std::string(kHost)), std::move(script));
  }

  Upstream At(std::uint16_t port) const {
    return {.portal = *PortalName::FromId("acme", "portal"),
            .host = std::string(kHost),
            .port = port,
            .ca_file = dir_ / "ca.crt",
            .resolve = "127.0.0.1",
            .allow_private_address = true};
  }

  std::unique_ptr<PortalClient> Connect(Upstream upstream, const ConnectionPoolOptions& options = {}) {
    std::vector<Upstream> upstreams;
    upstreams.push_back(std::move(upstream));
    auto client = PortalClient::Create(options, std::move(upstreams), clock_, *loop_);
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  SendOptions Within(absl::Duration time, std::stop_token cancelled = {}) const {
    return {.deadline = clock_.Monotonic() + time, .cancelled = std::move(cancelled)};
  }

  static std::future<TransferResult> Start(Client& client, OutgoingRequest request, SendOptions options) {
    auto promise = std::make_shared<std::promise<TransferResult>>();
    auto future = promise->get_future();
    client.Send(std::move(request), std::move(options),
                [promise](TransferResult result) { promise->set_value(std::move(result)); });
    return future;
  }

  TransferResult Exchange(Client& client, OutgoingRequest request = OutgoingRequestPeer::Get()) {
    return Start(client, std::move(request), Within(absl::Seconds(20))).get();
  }

  static std::string PhaseOf(const TransferResult& result) { return MetadataOf(result.response.status())["phase"]; }
  static PoolStats StatsOf(const PortalClient& client) { return client.Stats().begin()->second; }

  const SystemClock clock_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create(clock_);
  const TestCa ca_;
  TempDir dir_;
};

}  // namespace lmbroker::http
