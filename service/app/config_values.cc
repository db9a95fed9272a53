#include "service/app/config_values.h"

#include <unistd.h>

#include <charconv>
#include <system_error>

#include <fmt/format.h>

#include "service/base/identity_text.h"
#include "service/base/quantity.h"
#include "service/base/text.h"
#include "service/http/ip_address.h"

namespace lmbroker::app {
namespace {

constexpr std::int64_t kMostCount = 1'000'000;

bool IsPort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

// An IPv4 address, an IPv6 address in brackets, or a DNS name.
bool IsHost(std::string_view text) {
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  const auto address = http::IpAddress::Parse(bracketed ? text.substr(1, text.size() - 2) : text);
  return address.has_value() ? address->IsIpv6() == bracketed : !bracketed && IsDnsName(AsciiLower(text));
}

}  // namespace

void ConfigValues::Later(std::string_view key) {
  Problem(key, "comes with a later version, and is refused rather than ignored; leave it out");
}

bool ConfigValues::Check(std::string_view key, const absl::Status& status) {
  if (!status.ok()) Problem(key, std::string(status.message()));
  return status.ok();
}

bool ConfigValues::Require(std::string_view key, std::string_view value) {
  if (value.empty()) Problem(key, "is missing");
  return !value.empty();
}

std::string ConfigValues::Resolve(std::string_view path) const {
  return path.empty() ? std::string() : (directory_ / path).string();
}

std::string ConfigValues::NewFile(std::string_view key, std::string_view path) {
  if (path.empty()) return "";
  const std::filesystem::path file = directory_ / path;
  const std::filesystem::path parent = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code error;
  if (!std::filesystem::is_directory(parent, error)) {
    Problem(key, fmt::format("must lie in a directory that exists, not in {}", parent.string()));
  } else if (access(parent.c_str(), W_OK | X_OK) != 0) {
    Problem(key, fmt::format("must lie in a directory that the broker can write, not in {}", parent.string()));
  } else if (std::filesystem::is_directory(file, error)) {
    Problem(key, fmt::format("must be a file, {} is a directory", file.string()));
  }
  return file.string();
}

std::string ConfigValues::Address(std::string_view key, std::string_view address) {
  if (!Require(key, address)) return "";
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || !IsHost(address.substr(0, colon)) || !IsPort(address.substr(colon + 1))) {
    Problem(key, "must be HOST:PORT with a port of 0 to 65535");
  }
  return std::string(address);
}

std::size_t ConfigValues::Bytes(std::string_view key, std::string_view size, std::uint64_t most_gib) {
  const auto bytes = ParseSize(size);
  if (!bytes.has_value() || *bytes == 0 || *bytes > most_gib << 30) {
    Problem(key, fmt::format("must be a size like 8MiB, at least 1 byte and at most {}GiB", most_gib));
    return 1;
  }
  return static_cast<std::size_t>(*bytes);
}

std::size_t ConfigValues::Count(std::string_view key, std::int64_t count) {
  if (count < 1 || count > kMostCount) {
    Problem(key, fmt::format("must be 1 to {}", kMostCount));
    return 1;
  }
  return static_cast<std::size_t>(count);
}

absl::Duration ConfigValues::Duration(std::string_view key, const google::protobuf::Duration& duration) {
  const absl::Duration value = absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  if (value <= absl::ZeroDuration()) Problem(key, "must be above zero");
  return value;
}

}  // namespace lmbroker::app
