// Replies that are handed over at their head and read piece by piece.

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/portal_client_fixture.h"

namespace lmbroker::http {
namespace {

using testing::SizeIs;

constexpr std::string_view kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mark: here\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string Chunk(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

class PortalClientStreamTest : public PortalClientFixture {
 protected:
  // What a reader got of a reply, and how that ended.
  struct Read {
    Response head;
    std::string body;
    absl::Status end;
  };

  // Reads one reply to its end, all of it on the loop's thread.
  class Reader : public std::enable_shared_from_this<Reader> {
   public:
    std::future<Read> Start(Client& client, SendOptions options) {
      auto future = read_.get_future();
      options.streaming = true;
      client.Send(OutgoingRequestPeer::Get(), std::move(options),
                  [self = shared_from_this()](TransferResult result) { self->OnHead(std::move(result)); });
      return future;
    }

   private:
    void OnHead(TransferResult result) {
      if (!result.response.ok()) return End(result.response.status());
      so_far_.body = std::exchange(result.response->body, {});
      rest_ = std::exchange(result.response->rest, nullptr);
      so_far_.head = *std::move(result.response);
      rest_ == nullptr ? End(absl::OkStatus()) : Ask();
    }
    void Ask() {
      rest_->Next([self = shared_from_this()](absl::StatusOr<std::string> piece) {
        if (!piece.ok() || piece->empty()) return self->End(piece.status());
        self->so_far_.body += *piece;
        self->Ask();
      });
    }
    void End(absl::Status status) {
      rest_ = nullptr;
      so_far_.end = std::move(status);
      read_.set_value(std::move(so_far_));
    }

    std::shared_ptr<BodyReader> rest_;
    Read so_far_;
    std::promise<Read> read_;
  };

  std::future<Read> Begin(Client& client, SendOptions options) {
    return std::make_shared<Reader>()->Start(client, std::move(options));
  }
  Read ReadAll(Client& client) { return Begin(client, Within(absl::Seconds(20))).get(); }
};

TEST_F(PortalClientStreamTest, ReplyComesWholeAndTheConnectionIsKept) {
  const auto server = Serve([](TlsServer::Session& session) {
    while (!session.ReadRequest().empty()) {
      session.Write(kChunkedHead);
      for (int i = 0; i < 100; ++i) session.Write(Chunk(std::string(1000, static_cast<char>('a' + i % 26))));
      session.Write(kLastChunk);
    }
  });
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 3; ++i) {
    const Read read = ReadAll(*client);
    EXPECT_THAT(read.end, IsOk());
    EXPECT_EQ(read.head.status, 200);
    EXPECT_THAT(read.head.headers, SizeIs(2));
    ASSERT_EQ(read.body.size(), 100'000U);
    EXPECT_EQ(read.body.front(), 'a');
    EXPECT_EQ(read.body.back(), 'a' + 99 % 26);
  }
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientStreamTest, HeadComesBeforeTheBody) {
  std::promise<void> head_came;
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(kChunkedHead);
    head_came.get_future().wait();
    session.Write(Chunk("late"));
    session.Write(kLastChunk);
  });
  const auto client = Connect(At(server->port()));
  std::shared_ptr<BodyReader> rest;
  std::promise<std::string> first;
  SendOptions options = Within(absl::Seconds(20));
  options.streaming = true;
  client->Send(OutgoingRequestPeer::Get(), options, [&](TransferResult result) {
    ASSERT_THAT(result.response, IsOk());
    rest = result.response->rest;
    ASSERT_NE(rest, nullptr);
    rest->Next([&](absl::StatusOr<std::string> piece) { first.set_value(*std::move(piece)); });
    head_came.set_value();
  });
  EXPECT_EQ(first.get_future().get(), "late");
  rest = nullptr;
}

TEST_F(PortalClientStreamTest, LengthHasNoLimit) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 3 << 20));
    for (int i = 0; i < 3; ++i) session.Write(std::string(1 << 20, 'x'));
  });
  const auto client = Connect(At(server->port()));
  SendOptions options = Within(absl::Seconds(20));
  options.most_reply_bytes = 10;
  const Read read = Begin(*client, options).get();
  EXPECT_THAT(read.end, IsOk());
  EXPECT_EQ(read.body.size(), std::size_t{3} << 20);
}

// A reply of 64 MiB whose reader takes one piece and then nothing for a while: what the portal could send meanwhile is
// what fits into the sockets and one buffer.
TEST_F(PortalClientStreamTest, ReaderThatIsBehindHoldsThePortalBack) {
  constexpr std::size_t kPieces = 1024;
  std::atomic<std::size_t> sent = 0;
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(kChunkedHead);
    const std::string piece = Chunk(std::string(64 << 10, 'x'));
    for (std::size_t i = 0; i < kPieces && session.Write(piece); ++i) ++sent;
    session.Write(kLastChunk);
  });
  const auto client = Connect(At(server->port()));
  std::shared_ptr<BodyReader> rest;
  std::promise<void> taken;
  SendOptions options = Within(absl::Seconds(60));
  options.streaming = true;
  client->Send(OutgoingRequestPeer::Get(), options, [&](TransferResult result) {
    rest = result.response->rest;
    rest->Next([&](const absl::StatusOr<std::string>&) { taken.set_value(); });
  });
  taken.get_future().wait();
  std::promise<void> later;
  loop_->AddTimer(clock_.Monotonic() + absl::Milliseconds(300), [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_LT(sent, kPieces / 2);

  std::promise<std::size_t> total;
  std::size_t received = 0;
  std::function<void()> ask = [&] {
    rest->Next([&](absl::StatusOr<std::string> piece) {
      received += piece->size();
      piece->empty() ? total.set_value(received) : ask();
    });
  };
  loop_->Post([&] { ask(); });
  EXPECT_GT(total.get_future().get(), (kPieces - 32) * (64 << 10));  // and then it goes on to the end
  rest = nullptr;
}

TEST_F(PortalClientStreamTest, CutReplyNeverLooksComplete) {
  const std::vector<std::pair<std::string, std::string>> replies = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfifty"},
      {"chunked", std::string(kChunkedHead) + Chunk("some")},
      {"garbage", std::string(kChunkedHead) + Chunk("some") + "no chunk\r\n"},
  };
  for (const auto& [name, reply] : replies) {
    for (const bool in_order : {true, false}) {
      const auto server = Serve([&](TlsServer::Session& session) {
        session.ReadRequest();
        session.Write(reply);
        if (!in_order) session.Drop();
      });
      const auto client = Connect(At(server->port()));
      const Read read = ReadAll(*client);
      EXPECT_FALSE(read.end.ok()) << name;
      EXPECT_LT(read.body.size(), 10U);
    }
  }
}

TEST_F(PortalClientStreamTest, DeadlineAndCancellationEndAStream) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(kChunkedHead);
    session.AwaitClose();
  });
  const auto client = Connect(At(server->port()));
  EXPECT_THAT(Begin(*client, Within(absl::Milliseconds(300))).get().end, RefusedWith(Reason::kDeadline));

  std::stop_source stop;
  auto cancelled = Begin(*client, Within(absl::Seconds(20), stop.get_token()));
  stop.request_stop();
  EXPECT_THAT(cancelled.get().end, StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(PortalClientStreamTest, AbandonedReplyEndsItsConnection) {
  std::promise<void> closed;
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(kChunkedHead);
    session.AwaitClose();
    closed.set_value();
  });
  const auto client = Connect(At(server->port()));
  SendOptions options = Within(absl::Seconds(20));
  options.streaming = true;
  client->Send(OutgoingRequestPeer::Get(), options, [](const TransferResult&) {});  // drops the reader with the reply
  closed.get_future().wait();
}

TEST_F(PortalClientStreamTest, EndOfTheClientEndsAStream) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(kChunkedHead);
    session.Write(Chunk("some"));
    session.AwaitClose();
  });
  auto client = Connect(At(server->port()));
  std::promise<void> began;
  std::promise<absl::Status> end;
  std::shared_ptr<BodyReader> rest;
  SendOptions options = Within(absl::Seconds(20));
  options.streaming = true;
  client->Send(OutgoingRequestPeer::Get(), options, [&](TransferResult result) {
    rest = result.response->rest;
    rest->Next([&](const absl::StatusOr<std::string>&) {
      rest->Next([&](const absl::StatusOr<std::string>& piece) { end.set_value(piece.status()); });
      began.set_value();
    });
  });
  began.get_future().wait();
  client.reset();
  EXPECT_THAT(end.get_future().get(), RefusedWith(Reason::kDraining));
  rest = nullptr;
}

}  // namespace
}  // namespace lmbroker::http
