#include "service/ops/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "service/base/descriptor.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::ops {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A connection to a server of this process; gives up after ten seconds.
Descriptor Connect(const Server& server) {
  const std::string& address = server.address();
  Descriptor connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&target), sizeof(target)), 0);
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return connection;
}

// Whether all of it went out.
bool Send(const Descriptor& connection, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = send(connection.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// All that the server sends until it closes.
std::string ReadAll(const Descriptor& connection) {
  std::string all;
  std::array<char, 4096> part{};
  while (true) {
    const ssize_t count = recv(connection.get(), part.data(), part.size(), 0);
    if (count <= 0) return all;
    all.append(part.data(), static_cast<std::size_t>(count));
  }
}

std::string Exchange(const Server& server, std::string_view request) {
  const Descriptor connection = Connect(server);
  (void)Send(connection, request);
  shutdown(connection.get(), SHUT_WR);
  return ReadAll(connection);
}

std::string Get(const Server& server, const std::string& path) {
  return Exchange(server, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

std::string BodyOf(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

class ServerTest : public testing::Test {
 protected:
  std::unique_ptr<Server> Open() {
    auto server = Server::Open({.address = "127.0.0.1:0",
                                .checks = {{"audit", [this] { return audit_; }}, {"store", [this] { return store_; }}},
                                .metrics = [] { return std::string("lmbroker_in_flight 0\n"); }});
    EXPECT_THAT(server, IsOk());
    return *std::move(server);
  }

  CheckResult audit_;
  CheckResult store_;
};

TEST_F(ServerTest, LiveAsLongAsItAnswers) {
  store_.ready = false;
  const auto server = Open();
  EXPECT_THAT(Get(*server, "/livez"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, ReadyWhenEveryCheckIs) {
  store_.detail = "portal acme has no master yet";
  const auto server = Open();
  const std::string answer = Get(*server, "/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json"));
  EXPECT_EQ(nlohmann::json::parse(BodyOf(answer)), nlohmann::json::parse(R"({"ready": true, "checks": {
      "audit": {"ready": true}, "store": {"ready": true, "detail": "portal acme has no master yet"}}})"));
}

TEST_F(ServerTest, NotReadyNamesTheReason) {
  audit_ = {.ready = false, .detail = "disk \"full\"\n"};
  const auto server = Open();
  const std::string answer = Get(*server, "/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(nlohmann::json::parse(BodyOf(answer)), nlohmann::json::parse(R"({"ready": false, "checks": {
      "audit": {"ready": false, "detail": "disk \"full\"\n"}, "store": {"ready": true}}})"));
}

TEST_F(ServerTest, MetricsAreText) {
  const auto server = Open();
  const std::string answer = Get(*server, "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_EQ(BodyOf(answer), "lmbroker_in_flight 0\n");
}

TEST_F(ServerTest, ThereIsNothingElse) {
  const auto server = Open();
  for (const char* path : {"/", "/livez/", "/livez2", "/x/livez", "/../etc/passwd", "/metrics%00", "/%2e%2e/", "*"}) {
    EXPECT_THAT(Get(*server, path), Not(StartsWith("HTTP/1.1 2"))) << path;
  }
  EXPECT_THAT(Get(*server, "/"), StartsWith("HTTP/1.1 404"));
}

TEST_F(ServerTest, OnlyGetIsAnswered) {
  const auto server = Open();
  for (const std::string method : {"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    const std::string answer =
        Exchange(*server, method + " /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET"));
  }
}

TEST_F(ServerTest, RequestsThatAreNoneGetNoGoodAnswer) {
  const auto server = Open();
  using namespace std::string_literals;
  for (const std::string& request : {""s, "\0\0\0\0\0\0\0\0\r\n\r\n"s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
                                     "GET\r\n\r\n"s, "GET /livez\r\n\r\n"s, "GET /livez HTTP/9.9\r\n\r\n"s,
                                     "BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n"s, "\xff\xfe /livez HTTP/1.1\r\n\r\n"s}) {
    EXPECT_THAT(Exchange(*server, request), Not(StartsWith("HTTP/1.1 2"))) << testing::PrintToString(request);
  }
  EXPECT_THAT(Get(*server, "/livez"), StartsWith("HTTP/1.1 200"));  // and it lives on
}

TEST_F(ServerTest, RequestIsBoundedInItsParts) {
  const auto server = Open();
  EXPECT_THAT(Get(*server, "/livez?" + std::string(100'000, 'x')), Not(StartsWith("HTTP/1.1 2")));
  std::string headers;
  for (int i = 0; i < 10'000; ++i) headers += "X-Header-" + std::to_string(i) + ": value\r\n";
  EXPECT_THAT(Exchange(*server, "GET /livez HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"),
              Not(StartsWith("HTTP/1.1 2")));
  EXPECT_THAT(Get(*server, "/livez"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, RangesDoNotMultiplyTheAnswer) {
  const auto server = Open();
  std::string ranges = "bytes=0-20";
  for (int i = 0; i < 1000; ++i) ranges += ",0-20";
  const std::string answer = Exchange(*server, "GET /metrics HTTP/1.1\r\nHost: x\r\nRange: " + ranges + "\r\n\r\n");
  EXPECT_THAT(answer, Not(HasSubstr("lmbroker_in_flight")));
}

TEST_F(ServerTest, OneRequestAConnection) {
  const auto server = Open();
  const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answer = Exchange(*server, request + request + request);
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
}

TEST_F(ServerTest, SilentPeersAreLeftAfterTwoSeconds) {
  const auto server = Open();
  std::vector<Descriptor> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(Connect(*server));
  ASSERT_TRUE(Send(silent[0], "GET /livez HTTP/1.1\r\nHost:"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Get(*server, "/livez"), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(9));
}

TEST_F(ServerTest, CheckThatThrowsIsAnErrorWithoutWords) {
  auto server = Server::Open({.address = "127.0.0.1:0", .checks = {}, .metrics = []() -> std::string {
                                throw std::runtime_error("inner words");
                              }});
  ASSERT_THAT(server, IsOk());
  const std::string answer = Get(**server, "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(answer, Not(HasSubstr("inner words")));
}

TEST_F(ServerTest, AcceptedRequestIsAnsweredBeforeTheEnd) {
  std::promise<void> begun;
  std::promise<void> go_on;
  auto server = Server::Open({.address = "127.0.0.1:0", .checks = {}, .metrics = [&] {
                                begun.set_value();
                                go_on.get_future().wait();
                                return std::string("late\n");
                              }});
  ASSERT_THAT(server, IsOk());
  const Descriptor connection = Connect(**server);
  ASSERT_TRUE(Send(connection, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
  begun.get_future().wait();
  std::thread stop([&] { server->reset(); });
  go_on.set_value();
  EXPECT_EQ(BodyOf(ReadAll(connection)), "late\n");
  shutdown(connection.get(), SHUT_RDWR);
  stop.join();
}

TEST_F(ServerTest, ManyAtATimeAreAllAnswered) {
  const auto server = Open();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) good += Get(*server, "/readyz").starts_with("HTTP/1.1 200") ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

TEST(ServerAddressTest, IsWrittenToItsFile) {
  const TempDir dir;
  const auto server = Server::Open({.address = "127.0.0.1:0", .address_file = dir / "address", .checks = {}});
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ(ReadFile(dir / "address"), (*server)->address() + "\n");
  EXPECT_THAT((*server)->address(), testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
}

TEST(ServerAddressTest, TakenPortIsRefused) {
  const auto first = Server::Open({.address = "127.0.0.1:0", .checks = {}});
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Server::Open({.address = (*first)->address(), .checks = {}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("in use")));
}

TEST(ServerAddressTest, BadOnesAreRefused) {
  for (const char* address : {"", "127.0.0.1", ":9464", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "::1:0",
                              "no such host:0", "256.1.1.1:0", "127.0.0.1:-1", "127.0.0.1:0x10"}) {
    EXPECT_THAT(Server::Open({.address = address, .checks = {}}), StatusIs(absl::StatusCode::kFailedPrecondition))
        << address;
  }
}

TEST(ServerAddressTest, MissingDirectoryOfTheFileIsAnError) {
  const TempDir dir;
  EXPECT_FALSE(Server::Open({.address = "127.0.0.1:0", .address_file = dir / "none/address", .checks = {}}).ok());
}

}  // namespace
}  // namespace lmbroker::ops
