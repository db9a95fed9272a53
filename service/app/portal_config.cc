#include "service/app/portal_config.h"

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/app/tls_files.h"
#include "service/base/identity_text.h"
#include "service/base/text.h"
#include "service/http/ip_address.h"

namespace lmbroker::app {
namespace {

constexpr std::int32_t kMostConnections = 1024;
constexpr std::int32_t kMostPort = 65535;

// A host is a plain DNS name: no scheme, no user, no port, no address (certificates are for names).
void ReadHost(const config::v1::Portal& file, const std::string& path, Config::Portal& portal, ConfigValues& values) {
  if (file.has_host()) portal.host = AsciiLower(file.host());
  if (!IsDnsName(portal.host)) {
    values.Problem(ChildPath(path, "host"), "must be a plain DNS name like acme.logicmonitor.com");
  }
  if (!file.has_port()) return;
  if (file.port() < 1 || file.port() > kMostPort) {
    values.Problem(ChildPath(path, "port"), "must be 1 to 65535");
  } else {
    portal.port = static_cast<std::uint16_t>(file.port());
  }
}

void ReadAddress(const config::v1::Portal& file, const std::string& path, Config::Portal& portal,
                 ConfigValues& values) {
  portal.allow_private_address = file.allow_private_address();
  if (!file.has_resolve()) return;
  portal.resolve = file.resolve();
  const auto address = http::IpAddress::Parse(portal.resolve);
  if (!address.has_value()) {
    values.Problem(ChildPath(path, "resolve"), "must be one IP address in its plain form");
  } else if (!address->IsPublic() && !portal.allow_private_address) {
    values.Problem(ChildPath(path, "resolve"), "is no public address, which needs `allow_private_address: true`");
  }
}

Config::Portal ReadPortal(const PortalName& name, const config::v1::Portal& file, const std::string& path,
                          ConfigValues& values) {
  Config::Portal portal{.host = fmt::format("{}.logicmonitor.com", name.id())};
  ReadHost(file, path, portal, values);
  ReadAddress(file, path, portal, values);
  if (file.has_ca()) {
    portal.ca = values.Resolve(file.ca());
    values.Check(ChildPath(path, "ca"), CheckCertificates(portal.ca));
  }
  if (file.has_master()) {
    const auto master = CredentialName::FromId(name, file.master(), "master");
    if (values.Check(ChildPath(path, "master"), master.status())) portal.master = *master;
  }
  if (file.has_connections()) {
    if (file.connections() < 1 || file.connections() > kMostConnections) {
      values.Problem(ChildPath(path, "connections"), fmt::format("must be 1 to {}", kMostConnections));
    } else {
      portal.connections = static_cast<std::size_t>(file.connections());
    }
  }
  return portal;
}

}  // namespace

std::map<PortalName, Config::Portal> ReadPortals(const config::v1::Config& file, ConfigValues& values) {
  std::map<PortalName, Config::Portal> portals;
  if (file.portals().empty()) values.Problem("portals", "must have at least one portal");
  for (const auto& [id, entry] : file.portals()) {
    const std::string path = ChildPath("portals", id);
    const auto name = PortalName::FromId(id, id);
    if (!name.ok()) {
      values.Problem(path, "must be named by 1 to 63 lower-case letters, digits and '-', the first a letter");
      continue;
    }
    portals.emplace(*name, ReadPortal(*name, entry, path, values));
  }
  return portals;
}

}  // namespace lmbroker::app
