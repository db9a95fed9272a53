#include "service/h2/connection.h"

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/http2_client.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_pki.h"

namespace lmbroker::h2 {
namespace {

constexpr std::array kHead{Header{.name = ":status", .value = "200"}};
constexpr std::array kTrailers{Header{.name = "grpc-status", .value = "0"}};

// Does what the test says. On the loop's thread.
struct FakeHandler final : StreamHandler {
  FakeHandler(Stream& from, std::function<void(Stream&)> end, std::function<void(Stream&)> sent)
      : stream(&from), on_end(std::move(end)), on_sent(std::move(sent)) {}
  void OnData(std::string_view) override {}
  void OnEnd() override { on_end(*stream); }
  void OnSent() override {
    if (on_sent) on_sent(*stream);
  }
  void OnClosed() override {
    ++closed;
    stream = nullptr;
  }

  Stream* stream;  // none: closed
  int closed = 0;
  const std::function<void(Stream&)> on_end;
  const std::function<void(Stream&)> on_sent;
};

void AnswerShortly(Stream& stream) { stream.Answer(kHead); }
void BeginAnswer(Stream& stream) { stream.Begin(kHead); }

class ConnectionTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }

  explicit ConnectionTest(Http2Client::Options options = {}) : client_(options) {}

  void SetUp() override {
    auto loop = http::EventLoop::Create(clock_);
    ASSERT_THAT(loop, IsOk());
    loop_ = *std::move(loop);
    flusher_.emplace(*loop_);
    Connect();
  }
  void TearDown() override {
    OnLoop([this] { connection_.reset(); });
    loop_.reset();
  }

  // Runs on the loop's thread, and waits.
  void OnLoop(std::function<void()> work) {
    std::promise<void> done;
    loop_->Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  void Connect() {
    const TestCa ca;
    auto context = MakeServerContext(ToServerIdentity(ca.IssueServer("lmbroker")), {}, /*require_certificates=*/false);
    ASSERT_THAT(context, IsOk());
    auto [near, far] = SocketPair();
    const int room = 32 << 10;
    setsockopt(near.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    auto socket = std::make_unique<TlsSocket>(
        Accepted{.socket = std::move(near), .place = *ConnectionCount(1).TryEnter()}, *context);
    tls_.emplace(std::move(far), TlsClient::Options());
    std::thread connecting([this] { tls_->Connect(); });
    ASSERT_EQ(socket->Shake(), TlsSocket::Progress::kDone);
    connecting.join();
    MakeNonBlocking(socket->descriptor());
    OnLoop([&] {
      connection_ = std::make_shared<Connection>(
          *loop_, *flusher_, std::move(socket), Session::Limits(),
          Connection::Handlers{.on_request = [this](Stream& stream, bool) -> StreamHandler& {
                                 return *handlers_.emplace_back(
                                     std::make_unique<FakeHandler>(stream, on_end_, on_sent_));
                               },
                               .on_over =
                                   [this](const Connection&) {
                                     if (++overs_ == 1) over_.set_value();
                                   }});
      connection_->Start();
    });
  }

  std::int32_t Request() { return client_.Request(Http2Client::HeadFor("/sign")); }
  // Sends, then reads record by record until `done`. False when the connection ended before.
  bool TalkUntil(const std::function<bool()>& done) {
    while (true) {
      if (!tls_->Write(client_.Send())) return done();
      if (done()) return true;
      const std::string bytes = tls_->Read();
      if (bytes.empty() || !client_.Receive(bytes)) return done();
    }
  }
  bool IsAnswered(std::int32_t id) {
    return TalkUntil([&] { return client_.answer(id).ended; });
  }
  void AwaitOver() { over_.get_future().wait(); }

  const SystemClock clock_;
  Http2Client client_;
  std::function<void(Stream&)> on_end_ = AnswerShortly;  // what handlers do
  std::function<void(Stream&)> on_sent_;
  // On the loop's thread, until it ended.
  std::vector<std::unique_ptr<FakeHandler>> handlers_;
  int overs_ = 0;
  std::promise<void> over_;
  std::unique_ptr<http::EventLoop> loop_;
  std::optional<Flusher> flusher_;
  std::optional<TlsClient> tls_;
  std::shared_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, ARequestIsAnswered) {
  on_end_ = [](Stream& stream) {
    stream.Begin(kHead);
    stream.Write("signature");
    stream.Finish(kTrailers);
  };
  const std::int32_t id = Request();
  ASSERT_TRUE(IsAnswered(id));
  EXPECT_EQ(client_.answer(id).body, "signature");
  EXPECT_THAT(client_.answer(id).trailers, testing::ElementsAre(testing::Pair("grpc-status", "0")));
  OnLoop([this] { EXPECT_EQ(handlers_.front()->closed, 1); });
}

TEST_F(ConnectionTest, AnswersOfOneTurnGoOutTogether) {
  ASSERT_TRUE(IsAnswered(Request()));  // settings have come and gone
  const std::int32_t first = Request();
  const std::int32_t second = Request();
  ASSERT_TRUE(tls_->Write(client_.Send()));
  client_.Receive(tls_->Read());
  EXPECT_TRUE(client_.answer(first).ended);
  EXPECT_TRUE(client_.answer(second).ended);
}

TEST_F(ConnectionTest, AnAnswerFromAnotherTurnGoesOutByItself) {
  on_end_ = BeginAnswer;
  const std::int32_t id = Request();
  ASSERT_TRUE(TalkUntil([&] { return !client_.answer(id).head.empty(); }));
  OnLoop([this] { handlers_.front()->stream->Finish(kTrailers); });
  EXPECT_TRUE(IsAnswered(id));
}

TEST_F(ConnectionTest, APingIsAnsweredEvenWhenTheNextRecordIsNotWholeYet) {
  ASSERT_TRUE(IsAnswered(Request()));
  client_.Ping();
  const std::string ping = tls_->Seal(client_.Send());
  const std::int32_t id = Request();
  const std::string request = tls_->Seal(client_.Send());
  const std::string first = ping + request.substr(0, request.size() / 2);
  ASSERT_EQ(send(tls_->socket(), first.data(), first.size(), 0), static_cast<ssize_t>(first.size()));
  EXPECT_TRUE(TalkUntil([&] { return client_.pongs() == 1; }));
  const std::string rest = request.substr(request.size() / 2);
  ASSERT_EQ(send(tls_->socket(), rest.data(), rest.size(), 0), static_cast<ssize_t>(rest.size()));
  EXPECT_TRUE(IsAnswered(id));
}

TEST_F(ConnectionTest, ItGoesOnAfterItWasTended) {
  on_end_ = BeginAnswer;
  const std::int32_t id = Request();
  ASSERT_TRUE(TalkUntil([&] { return !client_.answer(id).head.empty(); }));
  OnLoop([this] {
    connection_->Tend(absl::Hours(1));
    handlers_.front()->stream->Finish(kTrailers);
  });
  ASSERT_TRUE(IsAnswered(id));
  OnLoop([this] {
    connection_->Tend(absl::Hours(2));
    on_end_ = AnswerShortly;
  });
  EXPECT_TRUE(IsAnswered(Request()));
}

TEST_F(ConnectionTest, ItIsOverOnceWhenTheClientLeaves) {
  on_end_ = BeginAnswer;
  const std::int32_t id = Request();
  ASSERT_TRUE(TalkUntil([&] { return !client_.answer(id).head.empty(); }));
  tls_.reset();
  AwaitOver();
  OnLoop([this] {
    EXPECT_EQ(handlers_.front()->closed, 1);
    connection_->Close();
    connection_.reset();
    EXPECT_EQ(handlers_.front()->closed, 1);
    EXPECT_EQ(overs_, 1);
  });
}

TEST_F(ConnectionTest, CloseTellsHandlersAndTheClient) {
  on_end_ = BeginAnswer;
  const std::int32_t id = Request();
  ASSERT_TRUE(TalkUntil([&] { return !client_.answer(id).head.empty(); }));
  OnLoop([this] {
    connection_->Close();
    EXPECT_EQ(handlers_.front()->closed, 1);
    EXPECT_EQ(overs_, 1);
    connection_.reset();
  });
  EXPECT_FALSE(IsAnswered(id));
}

TEST_F(ConnectionTest, WhatIsNoHttp2EndsIt) {
  ASSERT_TRUE(tls_->Write("GET / HTTP/1.1\r\n\r\n"));
  AwaitOver();
  OnLoop([this] { EXPECT_THAT(handlers_, testing::IsEmpty()); });
}

TEST_F(ConnectionTest, AfterTheEndItClosesItselfWithTheLastAnswer) {
  on_end_ = BeginAnswer;
  const std::int32_t id = Request();
  ASSERT_TRUE(TalkUntil([&] { return !client_.answer(id).head.empty(); }));
  OnLoop([this] { connection_->session().End(); });
  ASSERT_TRUE(TalkUntil([&] { return client_.goaway().has_value(); }));
  OnLoop([this] {
    EXPECT_EQ(overs_, 0);
    handlers_.front()->stream->Finish(kTrailers);
  });
  EXPECT_TRUE(IsAnswered(id));
  AwaitOver();
}

TEST_F(ConnectionTest, AnIdleOneClosesItselfAtTheEnd) {
  ASSERT_TRUE(IsAnswered(Request()));
  OnLoop([this] { connection_->session().End(); });
  EXPECT_TRUE(TalkUntil([&] { return client_.goaway().has_value(); }));
  AwaitOver();
}

// There is nothing left to send then.
TEST_F(ConnectionTest, AfterTheEndItClosesItselfWhenTheClientResetsTheLastStream) {
  on_end_ = BeginAnswer;
  const std::int32_t id = Request();
  ASSERT_TRUE(TalkUntil([&] { return !client_.answer(id).head.empty(); }));
  OnLoop([this] { connection_->session().End(); });
  ASSERT_TRUE(TalkUntil([&] { return client_.goaway().has_value(); }));
  client_.Reset(id);
  ASSERT_TRUE(tls_->Write(client_.Send()));
  EXPECT_EQ(over_.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

// Its windows are no hindrance: only the socket is.
class EagerClientTest : public ConnectionTest {
 protected:
  EagerClientTest() : ConnectionTest({.stream_window = 1 << 30, .connection_window = 1 << 30}) {}

  // Asks for an answer without an end, and reads none of it. Returns when there is no room for more.
  std::int32_t AskAndNotRead() {
    std::promise<void> first;
    on_end_ = [](Stream& stream) {
      stream.Begin(kHead);
      stream.Write(std::string(16 << 10, 'b'));
    };
    on_sent_ = [this, &first](Stream& stream) {
      if (++sent_ == 1) first.set_value();
      stream.Write(std::string(16 << 10, 'b'));
    };
    const std::int32_t id = Request();
    EXPECT_TRUE(tls_->Write(client_.Send()));
    first.get_future().wait();
    OnLoop([] {});  // the turn in which it wrote
    return id;
  }

  std::atomic<int> sent_ = 0;
};

TEST_F(EagerClientTest, ACallerThatDoesNotReadIsNotWrittenToForEver) {
  AskAndNotRead();
  const int bounded = sent_;
  EXPECT_LT(bounded, 50);
  OnLoop([] {});
  EXPECT_EQ(sent_, bounded);
  OnLoop([this] {
    EXPECT_EQ(handlers_.front()->closed, 0);
    connection_->Close();
    EXPECT_EQ(handlers_.front()->closed, 1);
  });
  EXPECT_EQ(sent_, bounded);
}

TEST_F(EagerClientTest, ACallerThatDoesNotReadStillLosesItsStreamWhenItIsCut) {
  const std::int32_t id = AskAndNotRead();
  OnLoop([this] { handlers_.front()->stream->Cut(); });
  OnLoop([] {});  // what was to be flushed
  OnLoop([this] { EXPECT_EQ(handlers_.front()->closed, 1); });
  EXPECT_TRUE(TalkUntil([&] { return client_.answer(id).reset.has_value(); }));
}

TEST_F(EagerClientTest, ACallerThatTakesNothingForAMinuteIsLetGo) {
  AskAndNotRead();
  OnLoop([this] {
    connection_->Tend(absl::Hours(1));
    connection_->Tend(absl::Hours(1) + absl::Minutes(1));
    EXPECT_EQ(overs_, 0);
    connection_->Tend(absl::Hours(1) + absl::Minutes(1) + absl::Seconds(1));
    EXPECT_EQ(overs_, 1);
    EXPECT_EQ(handlers_.front()->closed, 1);
  });
}

TEST_F(EagerClientTest, ALargeAnswerComesWholeThroughASmallSocket) {
  std::string expected;
  int written = 0;
  on_end_ = BeginAnswer;
  const auto write = [&](Stream& stream) {
    std::string piece = std::to_string(written) + std::string(10'007, static_cast<char>('a' + written % 26));
    expected += piece;
    stream.Write(std::move(piece));
    if (++written == 200) stream.Finish(kTrailers);
  };
  on_end_ = [&](Stream& stream) {
    stream.Begin(kHead);
    write(stream);
  };
  on_sent_ = write;
  const std::int32_t id = Request();
  ASSERT_TRUE(IsAnswered(id));
  OnLoop([&] { EXPECT_TRUE(client_.answer(id).body == expected); });
}

}  // namespace
}  // namespace lmbroker::h2
