#include "service/app/portal_config.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/app/tls_files.h"
#include "service/base/identity_text.h"
#include "service/base/text.h"
#include "service/http/ip_address.h"
#include "service/http/path.h"
#include "service/portal/endpoint.h"

namespace lmbroker::app {
namespace {

constexpr std::int32_t kMostConnections = 1024;
constexpr std::int32_t kMostPort = 65535;
constexpr int kMostBudget = 1'000'000'000;

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

std::optional<http::Api> ReadApi(const config::v1::PortalBudget& file) {
  if (!file.has_api() || file.api() == "management") return http::Api::kManagement;
  if (file.api() == "ingest") return http::Api::kIngest;
  return std::nullopt;
}

portal::ConfiguredBudget ReadBudget(const config::v1::PortalBudget& file, const std::string& path,
                                    ConfigValues& values) {
  portal::ConfiguredBudget budget{.pattern = portal::EndpointPattern(file.pattern()), .limit = file.limit()};
  const auto api = ReadApi(file);
  if (!api.has_value()) values.Problem(ChildPath(path, "api"), "must be management or ingest");
  budget.api = api.value_or(http::Api::kManagement);
  const auto method = http::ParseMethod(file.method());
  if (method.ok()) {
    budget.method = *method;
  } else {
    values.Problem(ChildPath(path, "method"), "must be GET, POST, PUT, PATCH or DELETE");
  }
  if (!http::CanonicalPath::Parse(file.pattern()).ok()) {
    values.Problem(ChildPath(path, "pattern"), "must be a plain path like /device/devices/{id}");
  }
  if (budget.limit < 1 || budget.limit > kMostBudget) {
    values.Problem(ChildPath(path, "limit"), fmt::format("must be 1 to {}", kMostBudget));
  }
  if (file.has_window()) budget.window = values.Duration(ChildPath(path, "window"), file.window());
  if (budget.window > absl::ZeroDuration() && (budget.window < absl::Seconds(1) || budget.window > absl::Hours(1))) {
    values.Problem(ChildPath(path, "window"), "must be 1s to 1h");
  }
  return budget;
}

void ReadBudgets(const config::v1::Portal& file, const std::string& path, Config::Portal& portal,
                 ConfigValues& values) {
  for (int i = 0; i < file.budgets_size(); ++i) {
    const std::string item = ItemPath(ChildPath(path, "budgets"), static_cast<std::size_t>(i));
    const portal::ConfiguredBudget budget = ReadBudget(file.budgets(i), item, values);
    const bool known = std::any_of(portal.budgets.begin(), portal.budgets.end(),
                                   [&](const auto& other) { return budget.endpoint().IsSame(other.endpoint()); });
    if (known) values.Problem(item, "is of an endpoint and method that stand here already");
    portal.budgets.push_back(budget);
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
  if (file.has_http2()) portal.http2 = file.http2();
  ReadBudgets(file, path, portal, values);
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
