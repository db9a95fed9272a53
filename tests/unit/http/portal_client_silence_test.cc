// Connections by HTTP/2 on which nothing is heard any more.

#include <memory>
#include <semaphore>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/http/portal_client.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/http/portal_client_http2_fixture.h"

namespace lmbroker::http {
namespace {

// Time is the test's: it passes when somebody says so.
class PortalClientSilenceTest : public PortalClientHttp2Fixture {
 protected:
  PortalClientSilenceTest() {
    std::vector<Upstream> upstreams;
    upstreams.push_back(At(server_->port()));
    auto client = PortalClient::Create({}, std::move(upstreams), time_, *timed_loop_);
    EXPECT_THAT(client, IsOk());
    client_ = *std::move(client);
  }
  SendOptions Soon(std::stop_token cancelled = {}) const {
    return {.deadline = time_.Monotonic() + absl::Hours(1), .cancelled = std::move(cancelled)};
  }
  absl::StatusOr<Response> Call() { return Start(*client_, OutgoingRequestPeer::Get(), Soon()).get().response; }
  // A call that is given up without an answer, so long after the portal got it.
  void GiveUpAfter(absl::Duration time) {
    std::stop_source stop;
    auto call = Start(*client_, OutgoingRequestPeer::Get("/never"), Soon(stop.get_token()));
    asked_.acquire();
    time_.Advance(time);
    stop.request_stop();
    EXPECT_THAT(call.get().response, StatusIs(absl::StatusCode::kCancelled));
  }

  FakeClock time_;
  std::binary_semaphore asked_{0};
  const std::unique_ptr<EventLoop> timed_loop_ = *EventLoop::Create(time_);
  const std::unique_ptr<TlsServer> server_ = ServeH2([this](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/never")) return asked_.release();
    http2.Answer(id, 200);
  });
  std::unique_ptr<PortalClient> client_;
};

TEST_F(PortalClientSilenceTest, SilentConnectionIsLeft) {
  ASSERT_THAT(Call(), IsOk());
  GiveUpAfter(absl::Seconds(6));
  ASSERT_THAT(Call(), IsOk());
  EXPECT_EQ(server_->accepted(), 2);
}

TEST_F(PortalClientSilenceTest, ShortSilenceLeavesTheConnection) {
  ASSERT_THAT(Call(), IsOk());
  GiveUpAfter(absl::Seconds(4));
  ASSERT_THAT(Call(), IsOk());
  EXPECT_EQ(server_->accepted(), 1);
}

// Between two calls nothing is to be said, so that is no silence.
TEST_F(PortalClientSilenceTest, SilenceIsCountedFromACallOn) {
  ASSERT_THAT(Call(), IsOk());
  time_.Advance(absl::Seconds(20));
  GiveUpAfter(absl::Seconds(1));
  ASSERT_THAT(Call(), IsOk());
  EXPECT_EQ(server_->accepted(), 1);
}

// Or calls that are soon given up would never find out.
TEST_F(PortalClientSilenceTest, ACallWithoutAnAnswerIsRememberedUntilSomethingComes) {
  ASSERT_THAT(Call(), IsOk());
  GiveUpAfter(absl::Seconds(1));
  time_.Advance(absl::Seconds(20));
  GiveUpAfter(absl::Seconds(1));
  ASSERT_THAT(Call(), IsOk());
  EXPECT_EQ(server_->accepted(), 2);
}

}  // namespace
}  // namespace lmbroker::http
