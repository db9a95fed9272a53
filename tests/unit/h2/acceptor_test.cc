#include "service/h2/acceptor.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::h2 {
namespace {

using testing::HasSubstr;
using testing::Not;

class AcceptorTest : public testing::Test {
 protected:
  void Open(std::size_t most_connections) {
    auto opened =
        Acceptor::Open("127.0.0.1:0", most_connections, {.clock = clock_, .logger = logger_, .metrics = metrics_});
    ASSERT_THAT(opened, IsOk());
    acceptor_ = *std::move(opened);
    acceptor_->Start([this](Accepted connection) {
      const std::lock_guard lock(mutex_);
      taken_.push_back(std::move(connection));
      changed_.notify_all();
    });
  }

  Descriptor Connect() const {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(acceptor_->address().substr(acceptor_->address().rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
    return socket;
  }

  void AwaitTaken(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return taken_.size() >= count; });
  }

  // Waits for it.
  static bool IsClosed(const Descriptor& socket) {
    char byte = 0;
    return recv(socket.get(), &byte, 1, 0) <= 0;
  }

  FakeClock clock_;
  std::ostringstream log_;
  std::optional<Logger> logger_owner_{std::in_place, Logger::Options{}, log_};
  Logger& logger_ = *logger_owner_;
  Metrics metrics_{{.version = "test"}};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Accepted> taken_;
  mutable bool connected_ = false;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, ConnectionsAreHandedOver) {
  Open(2);
  const Descriptor first = Connect();
  const Descriptor second = Connect();
  AwaitTaken(2);
  EXPECT_EQ(acceptor_->connections(), 2U);
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_connections_refused_total 0"));
}

TEST_F(AcceptorTest, OneBeyondTheLimitIsClosedAtOnceAndCounted) {
  Open(1);
  const Descriptor first = Connect();
  AwaitTaken(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsClosed(Connect()));
  EXPECT_EQ(acceptor_->connections(), 1U);
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_connections_refused_total 3"));
}

TEST_F(AcceptorTest, AFloodIsSaidOnceASecond) {
  Open(1);
  const Descriptor first = Connect();
  AwaitTaken(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsClosed(Connect()));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(IsClosed(Connect()));
  acceptor_->Stop();
  logger_owner_.reset();  // writes out
  const std::string log = log_.str();
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find("connections_refused", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 2U) << log;
}

TEST_F(AcceptorTest, AConnectionThatEndedMakesRoom) {
  Open(1);
  const Descriptor first = Connect();
  AwaitTaken(1);
  {
    const std::lock_guard lock(mutex_);
    taken_.clear();
  }
  const Descriptor second = Connect();
  AwaitTaken(1);
  EXPECT_EQ(acceptor_->connections(), 1U);
}

TEST_F(AcceptorTest, AfterStopNobodyConnects) {
  Open(2);
  acceptor_->Stop();
  const Descriptor late = Connect();
  EXPECT_FALSE(connected_);
  EXPECT_EQ(acceptor_->connections(), 0U);
}

TEST_F(AcceptorTest, APortIsNotShared) {
  Open(2);
  EXPECT_THAT(Acceptor::Open(acceptor_->address(), 1, {.clock = clock_, .logger = logger_, .metrics = metrics_}),
              Not(IsOk()));
}

}  // namespace
}  // namespace lmbroker::h2
