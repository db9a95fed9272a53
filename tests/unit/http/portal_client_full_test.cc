// Connections by HTTP/2 that take no more bytes.

#include <time.h>

#include <future>
#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/portal_client.h"
#include "tests/unit/http/portal_client_http2_fixture.h"

namespace lmbroker::http {
namespace {

using testing::IsEmpty;

class PortalClientFullTest : public PortalClientHttp2Fixture {
 protected:
  // Until the loop has done what was posted up to now.
  void AwaitLoop() {
    std::promise<void> done;
    loop_->Post([&] { done.set_value(); });
    done.get_future().wait();
  }
  absl::Duration TimeOfLoop() {
    std::promise<absl::Duration> time;
    loop_->Post([&] {
      timespec spent{};
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
      time.set_value(absl::DurationFromTimespec(spent));
    });
    return time.get_future().get();
  }
};

// While a connection takes no more bytes, what nghttp2 has written for it waits here and will still be sent.
TEST_F(PortalClientFullTest, CallThatIsGivenUpAndSentNeverthelessIsNotSaidToBeUnsent) {
  constexpr int kCalls = 600;  // fewer resets than a portal takes for an attack
  std::latch given_up(1);
  std::mutex mutex;
  std::set<std::string> seen;
  const auto server = ServeH2Script([&](TlsServer::Session& session) {
    bool waited = false;
    ServeHttp2([&](Http2Server& http2, std::int32_t id) {
      http2.Answer(id, 200);
      {
        const std::lock_guard lock(mutex);
        seen.insert(http2.request(id).Field("x-request-id"));
      }
      if (std::exchange(waited, true)) return;
      session.Write(http2.Send());
      given_up.wait();
    })(session);
  });
  Upstream upstream = At(server->port());
  upstream.most_connections = kCalls + 1;
  const auto client = Connect(std::move(upstream));
  ASSERT_THAT(Exchange(*client).response, IsOk());

  // More than all buffers on the way hold.
  RequestParts parts{.method = "GET", .path = "/device/devices"};
  for (const char* const name :
       {"Accept", "Accept-Language", "If-Match", "If-None-Match", "traceparent", "tracestate"}) {
    parts.headers.push_back({name, std::string(8 << 10, '~')});
  }
  std::stop_source stop;
  std::vector<std::future<TransferResult>> calls(kCalls);
  std::promise<void> started;
  loop_->Post([&] {  // in one turn, so that they go out together
    for (int i = 0; i < kCalls; ++i) {
      calls[static_cast<std::size_t>(i)] =
          Start(*client, OutgoingRequestPeer::Make(parts, "Bearer not-a-real-key", "call-" + std::to_string(i)),
                Within(absl::Seconds(60), stop.get_token()));
    }
    started.set_value();
  });
  started.get_future().wait();
  std::promise<void> flushed;
  loop_->Post([&] { flushed.set_value(); });
  flushed.get_future().wait();
  stop.request_stop();
  std::vector<std::string> unsent;
  for (int i = 0; i < kCalls; ++i) {
    const TransferResult result = calls[static_cast<std::size_t>(i)].get();
    EXPECT_THAT(result.response, StatusIs(absl::StatusCode::kCancelled));
    if (result.delivery == Delivery::kNotSent) unsent.push_back("call-" + std::to_string(i));
  }
  EXPECT_FALSE(unsent.empty());  // else the buffers took it all, and this shows nothing
  given_up.count_down();
  ASSERT_THAT(Exchange(*client).response, IsOk());  // behind all that was sent
  ASSERT_EQ(server->accepted(), 1);
  const std::lock_guard lock(mutex);
  std::vector<std::string> seen_nevertheless;
  for (const std::string& call : unsent) {
    if (seen.contains(call)) seen_nevertheless.push_back(call);
  }
  EXPECT_THAT(seen_nevertheless, IsEmpty());
}

TEST_F(PortalClientFullTest, ConnectionThatIsFullCostsNoTime) {
  std::latch measured(1);
  const auto server = ServeH2(
      [&](Http2Server& http2, std::int32_t id) {
        http2.Answer(id, 200);
        if (AsksFor(http2, id, "/stop")) measured.wait();  // reads no more, and has not answered yet
      },
      {.window = 1 << 30});
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  auto stop = Start(*client, OutgoingRequestPeer::Get("/stop"), Within(absl::Seconds(60)));
  auto large = Start(*client, OutgoingRequestPeer::Post(std::string(32 << 20, 'x')), Within(absl::Seconds(60)));
  AwaitLoop();
  AwaitLoop();
  auto behind = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(60)));
  AwaitLoop();
  const absl::Duration before = TimeOfLoop();
  std::promise<void> later;
  loop_->AddTimer(clock_.Monotonic() + absl::Milliseconds(300), [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_LT(TimeOfLoop() - before, absl::Milliseconds(50));
  measured.count_down();
  for (auto* const call : {&stop, &large, &behind}) EXPECT_THAT(call->get().response, IsOk());
}

}  // namespace
}  // namespace lmbroker::http
