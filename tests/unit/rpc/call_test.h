#pragma once

// Calls through HTTP/2, whose two ends are in one process, without a socket between them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "grpc/health/v1/health.pb.h"
#include "service/base/byte_budget.h"
#include "service/h2/session.h"
#include "service/http/event_loop.h"
#include "service/rpc/grpc_call.h"
#include "service/rpc/method.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/http2_client.h"

namespace lmbroker::rpc {

// The gRPC status among such fields; -1 when there is none.
inline int StatusIn(const Http2Client::Fields& fields) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [](const auto& field) { return field.first == "grpc-status"; });
  return found == fields.end() ? -1 : std::stoi(found->second);
}

// A request and an answer as good as any.
inline std::string Named(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  return Framed(request);
}
inline std::string Saying(grpc::health::v1::HealthCheckResponse::ServingStatus status) {
  grpc::health::v1::HealthCheckResponse response;
  response.set_status(status);
  return Framed(response);
}

// A client, and what serves it on the loop's thread.
class CallTest : public testing::Test, private h2::Session::Owner {
 protected:
  static constexpr std::size_t kMostMessage = 100;
  static constexpr std::size_t kMostUnread = 150;

  // The connection is over.
  void Abandon() {
    OnLoop([this] { session_.Abandon(); });
  }
  // … and nothing is left of its calls.
  void Leave() {
    Abandon();
    EXPECT_EQ(calls(), 0U);
    EXPECT_EQ(unread_.taken(), 0U);
  }
  void TearDown() override { Leave(); }

  // Runs it on the loop's thread, after all that was posted before.
  void OnLoop(const std::function<void()>& work) {
    std::promise<void> done;
    loop_->Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::size_t calls() {
    std::size_t calls = 0;
    OnLoop([&] { calls = wire_.calls; });
    return calls;
  }

  // What the client has said arrives, and nothing goes back.
  void Deliver() {
    OnLoop([this] { EXPECT_TRUE(session_.Receive(client_.Send())); });
  }
  // All that either has to say arrives.
  void Exchange() {
    OnLoop([this] {
      while (true) {
        const std::string there = client_.Send();
        EXPECT_TRUE(session_.Receive(there));
        std::string back;
        session_.Send(back, std::size_t{1} << 20);
        EXPECT_TRUE(client_.Receive(back));
        if (there.empty() && back.empty()) return;
      }
    });
  }
  // Begins a call, of whose request more may come.
  std::int32_t Begin(const std::string& path, std::string request = {}, const Http2Client::Fields& fields = {}) {
    const std::int32_t id = client_.Request(Http2Client::HeadFor(path, fields), std::move(request), /*end=*/false);
    Exchange();
    return id;
  }
  // A whole call, and what there is of the answer.
  std::int32_t Ask(const std::string& path, std::string request) {
    const std::int32_t id = client_.Request(Http2Client::HeadFor(path), std::move(request));
    Exchange();
    return id;
  }
  void Tend() {
    OnLoop([this] { session_.ForEach([](h2::StreamHandler& handler) { static_cast<GrpcCall&>(handler).Tend(); }); });
  }

  const Http2Client::Answer& Got(std::int32_t id) const { return client_.answer(id); }
  // The status of a refusal without a message, which stands in the head; -1 when it is none.
  int Refused(std::int32_t id) const {
    return Got(id).body.empty() && Got(id).trailers.empty() ? StatusIn(Got(id).head) : -1;
  }

  FakeClock clock_;
  const std::unique_ptr<http::EventLoop> loop_ = *http::EventLoop::Create(clock_);
  ByteBudget unread_{kMostUnread};
  Wire wire_{.loop = *loop_, .clock = clock_, .unread = unread_, .most_message = kMostMessage};
  Methods methods_;
  Http2Client client_;

 private:
  h2::StreamHandler& OnRequest(h2::Stream& stream, bool) override {
    return methods_.Find(stream.head().Find(":path"))
        ->Open(wire_, stream,
               {.peer = peer_,
                .arrival = clock_.Monotonic(),
                .timeout = ParseTimeout(stream.head().Find("grpc-timeout"))});
  }
  void OnOutput() override {}

  const std::shared_ptr<const Peer> peer_ = std::make_shared<const Peer>(
      Peer{.address = "ipv4:127.0.0.1:40000", .identities = std::vector<std::string>{"dns:a.example"}});
  h2::Session session_{*this, {.streams = 16}};
};

}  // namespace lmbroker::rpc
