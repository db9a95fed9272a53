#include "service/http/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

namespace lmbroker::http {
namespace {

struct Block {
  std::array<std::uint8_t, 4> prefix;
  int bits;
};

// IANA IPv4 Special-Purpose Address Registry, and multicast (RFC 5771).
constexpr std::array kNotPublic4 = {
    Block{{0, 0, 0, 0}, 8},        // this network
    Block{{10, 0, 0, 0}, 8},       // private
    Block{{100, 64, 0, 0}, 10},    // shared (carrier NAT)
    Block{{127, 0, 0, 0}, 8},      // loopback
    Block{{169, 254, 0, 0}, 16},   // link-local, and the clouds' metadata services
    Block{{172, 16, 0, 0}, 12},    // private
    Block{{192, 0, 0, 0}, 24},     // protocol assignments
    Block{{192, 0, 2, 0}, 24},     // documentation
    Block{{192, 88, 99, 0}, 24},   // 6to4 relays
    Block{{192, 168, 0, 0}, 16},   // private
    Block{{198, 18, 0, 0}, 15},    // benchmarks
    Block{{198, 51, 100, 0}, 24},  // documentation
    Block{{203, 0, 113, 0}, 24},   // documentation
    Block{{224, 0, 0, 0}, 4},      // multicast
    Block{{240, 0, 0, 0}, 4},      // reserved, broadcast
};

// IPv6 global unicast is 2000::/3 (RFC 4291); all else is special. These are the special parts inside it.
constexpr Block kUnicast6{{0x20, 0, 0, 0}, 3};
constexpr std::array kNotPublic6 = {
    Block{{0x20, 0x01, 0x00, 0x00}, 23},  // protocol assignments, Teredo among them
    Block{{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    Block{{0x20, 0x02, 0x00, 0x00}, 16},  // 6to4
    Block{{0x3f, 0xff, 0x00, 0x00}, 20},  // documentation
};

std::uint32_t First32(const std::uint8_t* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) | (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  Bytes bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return IpAddress(bytes, false);
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return IpAddress(bytes, true);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::FromSocketAddress(const sockaddr* address) {
  Bytes bytes{};
  if (address->sa_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, address, sizeof ipv4);
    std::memcpy(bytes.data(), &ipv4.sin_addr, sizeof ipv4.sin_addr);
    return IpAddress(bytes, false);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, address, sizeof ipv6);
    std::memcpy(bytes.data(), &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
    return IpAddress(bytes, true);
  }
  return std::nullopt;
}

bool IpAddress::IsPublic() const {
  const std::uint32_t first = First32(bytes_.data());
  const auto in = [&](const Block& block) {
    return ((first ^ First32(block.prefix.data())) >> (32 - block.bits)) == 0;
  };
  if (is_ipv6_) return in(kUnicast6) && std::none_of(kNotPublic6.begin(), kNotPublic6.end(), in);
  return std::none_of(kNotPublic4.begin(), kNotPublic4.end(), in);
}

}  // namespace lmbroker::http
