#include "service/http/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lmbroker::http {
namespace {

TEST(IpAddressTest, SpecialAddressIsNotPublic) {
  const std::vector<std::string> table = {
      "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
      "127.255.255.255", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1",
      "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
      "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
      // IPv6
      "::", "::1", "::2", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1",
      "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::", "2001:10::1",
      "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "3fff:fff:ffff::", "4000::1", "5f00::1",
      "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1"};
  for (const std::string& text : table) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_FALSE(address->IsPublic()) << text;
  }
}

// Just outside the blocks above.
TEST(IpAddressTest, NeighbourOfASpecialBlockIsPublic) {
  const std::vector<std::string> table = {
      "1.0.0.0",        "8.8.8.8",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
      "100.128.0.0",    "126.255.255.255", "128.0.0.1",       "169.253.255.255", "169.255.0.0",
      "172.15.255.255", "172.32.0.0",      "192.0.1.0",       "192.167.255.255", "192.169.0.0",
      "198.17.255.255", "198.20.0.0",      "223.255.255.255", "2001:200::1",     "2001:4860:4860::8888",
      "2003::1",        "2600::1",         "2a00:1450::1",    "3ffe::1"};
  for (const std::string& text : table) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_TRUE(address->IsPublic()) << text;
  }
}

// What curl, inet_aton, browsers or URL parsers take for 127.0.0.1, 10.0.0.1 or the like.
TEST(IpAddressTest, OtherSpellingIsNoAddress) {
  const std::vector<std::string> table = {"2130706433",
                                          "017700000001",
                                          "0x7f000001",
                                          "0x7f.0.0.1",
                                          "0177.0.0.1",
                                          "127.1",
                                          "127.0.1",
                                          "127.0.0.01",
                                          "127.000.000.001",
                                          "010.0.0.1",
                                          "0",
                                          "127.0.0.1.",
                                          "127.0.0.1 ",
                                          " 127.0.0.1",
                                          "127.0.0.1:443",
                                          "127.0.0.1/8",
                                          "127.0.0.256",
                                          "[::1]",
                                          "::1%lo",
                                          "fe80::1%eth0",
                                          "::ffff:7f00:1:",
                                          ":::1",
                                          "localhost",
                                          "",
                                          "1.2.3.4.5",
                                          "１２７.0.0.1",
                                          "127。0。0。1",
                                          std::string("127.0.0.1\0", 10),
                                          "+127.0.0.1",
                                          "127.0.0.-1",
                                          "0:0:0:0:0:0:0:0:1",
                                          "12345::"};
  for (const std::string& text : table) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
}

TEST(IpAddressTest, SocketAddressesAreReadAsTheyAreConnectedTo) {
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_addr.s_addr = htonl(0x08080808);
  EXPECT_TRUE(IpAddress::FromSocketAddress(reinterpret_cast<sockaddr*>(&ipv4))->IsPublic());
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_FALSE(IpAddress::FromSocketAddress(reinterpret_cast<sockaddr*>(&ipv4))->IsPublic());
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:169.254.169.254", &ipv6.sin6_addr);
  const auto mapped = IpAddress::FromSocketAddress(reinterpret_cast<sockaddr*>(&ipv6));
  EXPECT_TRUE(mapped->IsIpv6());
  EXPECT_FALSE(mapped->IsPublic());
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_FALSE(IpAddress::FromSocketAddress(reinterpret_cast<sockaddr*>(&local)).has_value());
}

}  // namespace
}  // namespace lmbroker::http
