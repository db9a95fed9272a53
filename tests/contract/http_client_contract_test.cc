// What every http::Client promises, the real one and the fake.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/portal_client.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/support/outgoing_request_peer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"
#include "tests/support/tls_server.h"

namespace lmbroker::http {
namespace {

// A client and the portal behind it.
class World {
 public:
  virtual ~World() = default;
  virtual Client& client() = 0;
  virtual const Clock& clock() const = 0;
  // Returns once a request has reached the portal (or would have), which lets it wait.
  virtual void AwaitRequest() = 0;
  // Has the portal answer the request that waits longest.
  virtual void Answer(int status, const std::string& body) = 0;
  // Lets `duration` pass, sooner or later.
  virtual void Pass(absl::Duration duration) = 0;
  virtual void EndClient() = 0;
};

class FakeWorld final : public World {
 public:
  Client& client() override { return *client_; }
  const Clock& clock() const override { return clock_; }
  void AwaitRequest() override { client_->AwaitPending(1); }
  void Answer(int status, const std::string& body) override { client_->Answer({.status = status, .body = body}); }
  void Pass(absl::Duration duration) override {
    clock_.Advance(duration);
    client_->ExpireDue();
  }
  void EndClient() override { client_.reset(); }

 private:
  FakeClock clock_;
  std::unique_ptr<FakeHttpClient> client_ = std::make_unique<FakeHttpClient>(clock_);
};

class RealWorld final : public World {
 public:
  RealWorld() {
    const TestCa ca;
    WriteFile(dir_ / "ca.crt", ca.root());
    server_ = std::make_unique<TlsServer>(ca.IssueServer("acme.example"), [this](auto& session) { Serve(session); });
    std::vector<Upstream> upstreams;
    upstreams.push_back({.portal = *PortalName::FromId("acme", "portal"),
                         .host = "acme.example",
                         .port = server_->port(),
                         .ca_file = dir_ / "ca.crt",
                         .resolve = "127.0.0.1",
                         .allow_private_address = true});
    client_ = *PortalClient::Create({}, std::move(upstreams), clock_, *loop_);
  }
  ~RealWorld() override {
    client_.reset();
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
  }
  Client& client() override { return *client_; }
  const Clock& clock() const override { return clock_; }
  void AwaitRequest() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ > 0; });
  }
  void Answer(int status, const std::string& body) override {
    AwaitRequest();
    {
      const std::lock_guard lock(mutex_);
      --waiting_;
      reply_ = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
    }
    changed_.notify_all();
  }
  void Pass(absl::Duration) override {}  // it does by itself
  void EndClient() override { client_.reset(); }

 private:
  // Answers one request after the other, each when Answer says so.
  void Serve(TlsServer::Session& session) {
    while (!session.ReadRequest().empty()) {
      std::string reply;
      {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return ending_ || !reply_.empty(); });
        reply.swap(reply_);
      }
      if (reply.empty() || !session.Write(reply)) return;
    }
  }

  const SystemClock clock_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create(clock_);
  TempDir dir_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool ending_ = false;
  std::string reply_;
  std::unique_ptr<TlsServer> server_;
  std::unique_ptr<PortalClient> client_;
};

struct WorldCase {
  std::string name;
  std::function<std::unique_ptr<World>()> make;
  friend std::ostream& operator<<(std::ostream& out, const WorldCase& world) { return out << world.name; }
};

class HttpClientContract : public testing::TestWithParam<WorldCase> {
 protected:
  std::future<TransferResult> Send(absl::Duration time = absl::Minutes(1), std::stop_token cancelled = {},
                                   std::size_t most_reply_bytes = 1000) {
    auto promise = std::make_shared<std::promise<TransferResult>>();  // throws when it is set twice
    world_->client().Send(OutgoingRequestPeer::Get(),
                          {.deadline = world_->clock().Monotonic() + time,
                           .most_reply_bytes = most_reply_bytes,
                           .cancelled = std::move(cancelled)},
                          [promise](TransferResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  static bool IsPending(const std::future<TransferResult>& transfer) {
    return transfer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
  }

  const std::unique_ptr<World> world_ = GetParam().make();
};

TEST_P(HttpClientContract, SendDoesNotWaitAndTheReplyIsHandedOver) {
  auto transfer = Send();
  world_->AwaitRequest();
  EXPECT_TRUE(IsPending(transfer));
  world_->Answer(200, "hello");
  const TransferResult result = transfer.get();
  ASSERT_THAT(result.response, IsOk());
  EXPECT_EQ(result.response->status, 200);
  EXPECT_EQ(result.response->body, "hello");
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
}

TEST_P(HttpClientContract, HttpErrorIsAReply) {
  auto transfer = Send();
  world_->Answer(503, "down");
  EXPECT_EQ(transfer.get().response->status, 503);
}

TEST_P(HttpClientContract, NextTransferMayStartFromDone) {
  std::promise<TransferResult> second;
  const SendOptions options{.deadline = world_->clock().Monotonic() + absl::Minutes(1)};
  world_->client().Send(OutgoingRequestPeer::Get(), options, [&](TransferResult) {
    world_->client().Send(OutgoingRequestPeer::Get(), options,
                          [&](TransferResult result) { second.set_value(std::move(result)); });
  });
  world_->Answer(200, "first");
  world_->Answer(200, "second");
  EXPECT_EQ(second.get_future().get().response->body, "second");
}

TEST_P(HttpClientContract, ReplyAboveTheLimitIsRefused) {
  auto transfer = Send(absl::Minutes(1), {}, 4);
  world_->Answer(200, "hello");
  EXPECT_THAT(transfer.get().response, RefusedWith(Reason::kReplyTooLarge));
}

TEST_P(HttpClientContract, DeadlineThatHasPassedSendsNothing) {
  const TransferResult result = Send(absl::ZeroDuration()).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
}

TEST_P(HttpClientContract, DeadlineEndsATransfer) {
  auto first = Send();  // so that the time to connect does not count
  world_->Answer(200, "");
  ASSERT_THAT(first.get().response, IsOk());
  auto transfer = Send(absl::Milliseconds(500));
  world_->AwaitRequest();
  world_->Pass(absl::Milliseconds(500));
  const TransferResult result = transfer.get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
}

TEST_P(HttpClientContract, CancelledBeforehandSendsNothing) {
  std::stop_source stop;
  stop.request_stop();
  const TransferResult result = Send(absl::Minutes(1), stop.get_token()).get();
  EXPECT_THAT(result.response, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
}

TEST_P(HttpClientContract, CancellationEndsATransfer) {
  std::stop_source stop;
  auto transfer = Send(absl::Minutes(1), stop.get_token());
  world_->AwaitRequest();
  EXPECT_TRUE(IsPending(transfer));
  stop.request_stop();
  const TransferResult result = transfer.get();
  EXPECT_THAT(result.response, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
}

TEST_P(HttpClientContract, CancellationAfterTheEndChangesNothing) {
  std::stop_source stop;
  auto transfer = Send(absl::Minutes(1), stop.get_token());
  world_->Answer(200, "");
  EXPECT_THAT(transfer.get().response, IsOk());
  stop.request_stop();
}

TEST_P(HttpClientContract, EndOfTheClientEndsTransfers) {
  auto transfer = Send();
  world_->AwaitRequest();
  world_->EndClient();
  const TransferResult result = transfer.get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDraining));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
}

INSTANTIATE_TEST_SUITE_P(All, HttpClientContract,
                         testing::Values(WorldCase{"fake", [] { return std::make_unique<FakeWorld>(); }},
                                         WorldCase{"portal", [] { return std::make_unique<RealWorld>(); }}),
                         [](const auto& world) { return world.param.name; });

}  // namespace
}  // namespace lmbroker::http
