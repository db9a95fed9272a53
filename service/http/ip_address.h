#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lmbroker::http {

// An IPv4 or IPv6 address. A value.
class IpAddress {
 public:
  // From its one plain text form: four decimal numbers without leading zeros, or RFC 4291 without a zone. What other
  // tools take for an address as well (octal, hexadecimal, a single number, brackets, blanks) is nothing here.
  static std::optional<IpAddress> Parse(std::string_view text);
  // Nothing for another address family.
  static std::optional<IpAddress> FromSocketAddress(const sockaddr* address);

  bool IsIpv6() const { return is_ipv6_; }

  // Whether it is a unicast address of the public internet. Private, loopback, link-local, shared, documentation,
  // multicast and reserved addresses are not (IANA special-purpose registries, RFC 6890), nor is an IPv6 address that
  // carries an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo): behind it may be any address.
  bool IsPublic() const;

 private:
  using Bytes = std::array<std::uint8_t, 16>;
  IpAddress(const Bytes& bytes, bool is_ipv6) : bytes_(bytes), is_ipv6_(is_ipv6) {}

  Bytes bytes_;  // IPv4: the first four
  bool is_ipv6_;
};

}  // namespace lmbroker::http
