#include "service/base/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker {
namespace {

std::uint16_t PortOf(const Listener& listener) {
  return static_cast<std::uint16_t>(std::stoi(listener.address().substr(listener.address().rfind(':') + 1)));
}

bool Connects(std::uint16_t port) {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
}

TEST(ListenerTest, AnyPortIsAPortOfItsOwn) {
  auto listener = Listener::Open("127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  EXPECT_GT(PortOf(*listener), 0);
  EXPECT_TRUE(Connects(PortOf(*listener)));
  EXPECT_TRUE(listener->Accept().has_value());
}

TEST(ListenerTest, APortIsNotShared) {
  auto listener = Listener::Open("127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(Listener::Open(listener->address()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(ListenerTest, ClosingEndsAccept) {
  auto listener = Listener::Open("127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  std::thread accepting([&] { EXPECT_FALSE(listener->Accept().has_value()); });
  listener->Close();
  accepting.join();
  EXPECT_FALSE(Connects(PortOf(*listener)));
}

TEST(ListenerTest, AMalformedAddressIsRefused) {
  for (const char* const address :
       {"", "127.0.0.1", ":1", "::1:1", "127.0.0.1:x", "127.0.0.1:65536", "no such host:1"}) {
    EXPECT_THAT(Listener::Open(address), StatusIs(absl::StatusCode::kFailedPrecondition)) << address;
  }
}

}  // namespace
}  // namespace lmbroker
