#include "service/app/keyring_config.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "service/app/tls_files.h"
#include "service/base/file.h"
#include "service/crypto/file_key_source.h"
#include "service/crypto/key_ring_file.h"
#include "service/crypto/transit_key_source.h"

namespace lmbroker::app {
namespace {

constexpr std::string_view kHttps = "https://";
constexpr absl::Duration kMostCache = absl::Hours(1);
constexpr std::size_t kMostName = 128;

// What stands between the slashes of a path of Vault: a mount may have several parts.
bool IsName(std::string_view text, std::string_view also) {
  const auto allowed = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kMostName && std::all_of(text.begin(), text.end(), allowed) &&
         text.front() != '/' && text.back() != '/' && text.find("//") == std::string_view::npos &&
         text.find("..") == std::string_view::npos;
}

std::string ReadServer(const config::v1::Transit& file, ConfigValues& values) {
  std::string address = file.address();
  if (!values.Require("keyring.transit.address", address)) return address;
  const std::string_view host = std::string_view(address).substr(std::min(kHttps.size(), address.size()));
  if (!address.starts_with(kHttps) || host.empty() || host.find_first_of("/?#@ ") != std::string_view::npos) {
    values.Problem("keyring.transit.address", "must be https://HOST or https://HOST:PORT, and no more");
  }
  return address;
}

crypto::TransitKeys::Options ReadTransit(const config::v1::Transit& file, ConfigValues& values) {
  crypto::TransitKeys::Options options{.server = {.address = ReadServer(file, values)}, .key = file.key()};
  if (!file.mount().empty()) options.mount = file.mount();
  if (!IsName(options.mount, "-_./")) {
    values.Problem("keyring.transit.mount", "must be letters, digits, '-', '_', '.', and '/' between them");
  }
  if (values.Require("keyring.transit.key", options.key) && !IsName(options.key, "-_.")) {
    values.Problem("keyring.transit.key", "must be letters, digits, '-', '_' and '.'");
  }
  if (values.Require("keyring.transit.token_file", file.token_file())) {
    options.server.token_file = values.Resolve(file.token_file());
    values.Check("keyring.transit.token_file", CheckSecretFile(options.server.token_file));
  }
  if (!file.ca().empty()) {
    options.server.ca = values.Resolve(file.ca());
    values.Check("keyring.transit.ca", CheckCertificates(options.server.ca));
  }
  if (file.has_cache()) options.cache = values.Duration("keyring.transit.cache", file.cache());
  if (options.cache > kMostCache) values.Problem("keyring.transit.cache", "must be at most 1h");
  return options;
}

}  // namespace

Config::Keyring ReadKeyring(const config::v1::KeyRing& file, ConfigValues& values) {
  Config::Keyring keyring;
  if (file.has_transit()) {
    keyring.transit = ReadTransit(file.transit(), values);
    return keyring;
  }
  if (!values.Require("keyring.file", file.file())) return keyring;
  keyring.file = values.Resolve(file.file());
  values.Check("keyring.file", crypto::CheckKeyRingFile(keyring.file));
  return keyring;
}

std::unique_ptr<crypto::KeySource> MakeKeySource(const Config::Keyring& keyring, const Clock& clock, Random& random) {
  if (!keyring.transit.has_value()) return std::make_unique<crypto::FileKeySource>(keyring.file, random);
  return std::make_unique<crypto::TransitKeySource>(*keyring.transit, clock, random);
}

}  // namespace lmbroker::app
