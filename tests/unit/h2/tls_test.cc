#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/h2/door.h"
#include "service/h2/server_tls.h"
#include "service/h2/tls_socket.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/http2_client.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_pki.h"

namespace lmbroker::h2 {
namespace {

using testing::Not;

// Each has a count of its own: how many there may be is not what these tests are about.
Accepted Accept(Descriptor socket) { return {.socket = std::move(socket), .place = *ConnectionCount(1).TryEnter()}; }

class TlsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }

  absl::StatusOr<TlsContext> MakeContext(const TestCertificate& certificate, bool require_certificates) const {
    return MakeServerContext(ToServerIdentity(certificate), ParseCertificates(ca_.root()), require_certificates);
  }
  void SetUp() override {
    auto required = MakeContext(server_, /*require_certificates=*/true);
    auto optional = MakeContext(server_, /*require_certificates=*/false);
    ASSERT_THAT(required, IsOk());
    ASSERT_THAT(optional, IsOk());
    required_ = *std::move(required);
    optional_ = *std::move(optional);
  }

  // Makes a handshake. What it ended with; afterwards socket_ is there if it was done.
  TlsSocket::Progress Meet(const TlsContext& context, const TlsClient::Options& options) {
    auto [near, far] = SocketPair();
    socket_ = std::make_unique<TlsSocket>(Accept(std::move(near)), context);
    client_ = std::make_unique<TlsClient>(std::move(far), options);
    std::thread connecting([this] { client_->Connect(); });
    const auto progress = socket_->Shake();  // the socket blocks, so it is the only step
    if (progress != TlsSocket::Progress::kDone) socket_.reset();
    connecting.join();
    return progress;
  }
  bool LetsIn(const TlsContext& context, const TlsClient::Options& options) {
    return Meet(context, options) == TlsSocket::Progress::kDone;
  }

  const TestCa ca_;
  const TestCertificate server_ = ca_.IssueServer("lmbroker");
  const TestCertificate known_ = ca_.IssueClient("spiffe://test/known");
  const TestCertificate stranger_ = TestCa("Other CA").IssueClient("spiffe://test/known");
  TlsContext required_;
  TlsContext optional_;
  std::unique_ptr<TlsSocket> socket_;
  std::unique_ptr<TlsClient> client_;
};

TEST_F(TlsTest, AClientOfTheAuthorityIsLetInAndKnown) {
  for (const TlsContext& context : {required_, optional_}) {
    ASSERT_TRUE(LetsIn(context, {.certificate = &known_}));
    EXPECT_EQ(socket_->PeerCertificate(), known_.certificate);
    EXPECT_EQ(socket_->PeerChain(), "");
  }
}

TEST_F(TlsTest, ThePeersIntermediatesAreKnown) {
  const TestCa below = ca_.IssueAuthority("Below");
  const TestCa lowest = below.IssueAuthority("Lowest");
  const TestCertificate deep = lowest.IssueClient("spiffe://test/deep");
  ASSERT_TRUE(LetsIn(required_, {.certificate = &deep}));
  EXPECT_EQ(socket_->PeerChain(), lowest.certificate() + below.certificate());
  EXPECT_EQ(socket_->PeerCertificate() + socket_->PeerChain(), deep.certificate);
}

TEST_F(TlsTest, WhoBringsMoreThan32KiBOfCertificatesIsRefused) {
  const TestCa below = ca_.IssueAuthority("Below");
  TestCertificate known = below.IssueClient("spiffe://test/known");
  while (known.certificate.size() < 16 << 10) known.certificate += below.certificate();  // PEM is a third longer
  EXPECT_TRUE(LetsIn(required_, {.certificate = &known}));
  while (known.certificate.size() < 64 << 10) known.certificate += below.certificate();
  EXPECT_FALSE(LetsIn(required_, {.certificate = &known}));
}

TEST_F(TlsTest, WithoutACertificateNobodyIsLetInWhereOneIsRequired) { EXPECT_FALSE(LetsIn(required_, {})); }

TEST_F(TlsTest, WithoutACertificateOneIsLetInElsewhereAndIsNobody) {
  ASSERT_TRUE(LetsIn(optional_, {}));
  EXPECT_EQ(socket_->PeerCertificate(), "");
  EXPECT_EQ(socket_->PeerChain(), "");
}

TEST_F(TlsTest, ACertificateOfAnotherAuthorityIsRefusedEvenWhereNoneIsRequired) {
  EXPECT_FALSE(LetsIn(required_, {.certificate = &stranger_}));
  EXPECT_FALSE(LetsIn(optional_, {.certificate = &stranger_}));
}

TEST_F(TlsTest, AnExpiredCertificateIsRefused) {
  const TestCertificate expired = ca_.Issue({.not_after = absl::Now() - absl::Minutes(1)});
  EXPECT_FALSE(LetsIn(optional_, {.certificate = &expired}));
}

TEST_F(TlsTest, ItsEndIsNoEndOfTcpThatAnyoneOnTheWayCouldMake) {
  ASSERT_TRUE(LetsIn(optional_, {}));
  socket_.reset();
  EXPECT_EQ(client_->Read(), "");
  EXPECT_TRUE(client_->told_end());
}

TEST_F(TlsTest, WhoDoesNotSpeakHttp2IsRefused) { EXPECT_FALSE(LetsIn(optional_, {.protocol = "http/1.1"})); }

TEST_F(TlsTest, WhoOffersNoProtocolIsRefused) { EXPECT_FALSE(LetsIn(optional_, {.protocol = ""})); }

TEST_F(TlsTest, Tls12IsTheOldestThatIsSpoken) {
  EXPECT_FALSE(LetsIn(required_, {.certificate = &known_, .highest_version = TLS1_1_VERSION}));
  EXPECT_TRUE(LetsIn(required_, {.certificate = &known_, .highest_version = TLS1_2_VERSION}));
  EXPECT_EQ(socket_->PeerCertificate(), known_.certificate);
}

TEST_F(TlsTest, NothingIsResumed) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ASSERT_TRUE(LetsIn(required_, {.certificate = &known_, .highest_version = version}));
    // Session tickets of TLS 1.3 come behind the handshake.
    ASSERT_EQ(socket_->Write("x"), 1);
    ASSERT_EQ(client_->Read(), "x");
    const auto first = client_->session();
    ASSERT_TRUE(LetsIn(required_, {.certificate = &known_, .highest_version = version, .resume = first.get()}));
    EXPECT_FALSE(client_->resumed());
    EXPECT_EQ(socket_->PeerCertificate(), known_.certificate);
  }
}

TEST_F(TlsTest, AKeyThatIsNotTheCertificatesDoesNotServe) {
  const TestCertificate mixed{.certificate = server_.certificate, .key = known_.key};
  EXPECT_THAT(MakeContext(mixed, true), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(TlsTest, WithoutACertificateThereIsNoServer) {
  EXPECT_THAT(MakeServerContext({}, ParseCertificates(ca_.root()), true), Not(IsOk()));
}

TEST_F(TlsTest, BytesGoBothWaysAndTheEndIsSeen) {
  ASSERT_TRUE(LetsIn(required_, {.certificate = &known_}));
  MakeNonBlocking(socket_->descriptor());
  std::array<char, 100> bytes{};
  EXPECT_EQ(socket_->Read(bytes), TlsSocket::kNotNow);
  ASSERT_TRUE(client_->Write("hello"));
  EXPECT_EQ(socket_->Read(bytes), 5);
  EXPECT_EQ(std::string(bytes.data(), 5), "hello");
  EXPECT_EQ(socket_->Write("world"), 5);
  EXPECT_EQ(client_->Read(), "world");
  client_.reset();
  EXPECT_EQ(socket_->Read(bytes), TlsSocket::kOver);
}

TEST_F(TlsTest, AFullSocketTakesNoMoreNow) {
  ASSERT_TRUE(LetsIn(required_, {.certificate = &known_}));
  MakeNonBlocking(socket_->descriptor());
  const std::string piece(16 << 10, 'p');
  ssize_t size = 0;
  while ((size = socket_->Write(piece)) > 0) {
  }
  EXPECT_EQ(size, TlsSocket::kNotNow);
}

class DoorTest : public TlsTest {
 protected:
  void SetUp() override {
    TlsTest::SetUp();
    auto door = Door::Open(
        clock_, [this] { return required_; },
        [this](std::unique_ptr<TlsSocket> socket) {
          const std::lock_guard lock(mutex_);
          taken_.push_back(std::move(socket));
          changed_.notify_all();
        });
    ASSERT_THAT(door, IsOk());
    door_ = *std::move(door);
  }
  void TearDown() override { door_.reset(); }

  // The other end of a connection that has come to the door.
  Descriptor Enter() {
    auto [near, far] = SocketPair();
    MakeNonBlocking(near.get());
    door_->Enter(Accept(std::move(near)));
    return std::move(far);
  }
  // Somebody comes to the door and is let in. Who came before is in the door by then.
  std::unique_ptr<TlsClient> EnterKnown() {
    auto client = std::make_unique<TlsClient>(Enter(), TlsClient::Options{.certificate = &known_});
    EXPECT_TRUE(client->Connect());
    ++let_in_;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return taken_.size() >= let_in_; });
    return client;
  }
  // Waits for it.
  static bool IsClosed(const Descriptor& socket) {
    std::array<char, 100> bytes{};
    ssize_t size = 0;
    while ((size = recv(socket.get(), bytes.data(), bytes.size(), 0)) > 0) {
    }
    return size == 0 || errno == ECONNRESET;
  }
  static bool IsOpen(const Descriptor& socket) {
    char byte = 0;
    return recv(socket.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  std::size_t taken() {
    const std::lock_guard lock(mutex_);
    return taken_.size();
  }

  FakeClock clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<TlsSocket>> taken_;
  std::size_t let_in_ = 0;
  std::unique_ptr<Door> door_;
};

TEST_F(DoorTest, WhoMadeTheHandshakeIsHandedOver) {
  const auto client = EnterKnown();
  EXPECT_EQ(taken_.front()->PeerCertificate(), known_.certificate);
  ASSERT_EQ(taken_.front()->Write("welcome"), 7);
  EXPECT_EQ(client->Read(), "welcome");
}

TEST_F(DoorTest, WhoIsHandedOverDoesNotLeaveWithTheDoor) {
  const auto client = EnterKnown();
  door_.reset();
  ASSERT_EQ(taken_.front()->Write("still"), 5);
  EXPECT_EQ(client->Read(), "still");
}

TEST_F(DoorTest, WhoSpeaksNoTlsIsDropped) {
  const Descriptor client = Enter();
  const std::string_view request = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(send(client.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  EXPECT_TRUE(IsClosed(client));
  EXPECT_EQ(taken(), 0U);
}

TEST_F(DoorTest, WhoIsNotKnownIsDropped) {
  TlsClient client(Enter(), {.certificate = &stranger_});
  client.Connect();
  EXPECT_EQ(client.Read(), "");
  EXPECT_EQ(taken(), 0U);
}

TEST_F(DoorTest, WhoLeavesAtOnceIsForgotten) {
  {
    const Descriptor gone = Enter();
  }
  const auto next = EnterKnown();
  EXPECT_EQ(taken(), 1U);
}

// A clock that the test moves does not wake the door; who comes next does.
TEST_F(DoorTest, WhoSaysNothingIsDroppedAfterTenSeconds) {
  const Descriptor silent = Enter();
  const auto first = EnterKnown();
  clock_.Advance(absl::Seconds(9));
  const auto second = EnterKnown();
  EXPECT_TRUE(IsOpen(silent));
  clock_.Advance(absl::Seconds(1));
  const auto third = EnterKnown();
  EXPECT_TRUE(IsClosed(silent));
  EXPECT_EQ(taken(), 3U);
}

TEST_F(DoorTest, WhoWaitsInTheDoorLeavesWithIt) {
  const Descriptor silent = Enter();
  const auto known = EnterKnown();
  door_.reset();
  EXPECT_TRUE(IsClosed(silent));
}

TEST_F(DoorTest, WhoComesAsTheDoorEndsLeavesWithIt) {
  std::vector<Descriptor> guests;
  for (int i = 0; i < 20; ++i) guests.push_back(Enter());
  door_.reset();
  for (const Descriptor& each : guests) EXPECT_TRUE(IsClosed(each));
}

}  // namespace
}  // namespace lmbroker::h2
