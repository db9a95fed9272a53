#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "service/base/names.h"

namespace lmbroker::http {

// Where a portal is and how it is reached: one `portals` entry of the configuration.
struct Upstream {
  PortalName portal;
  std::string host;  // DNS name; the certificate must be for it
  std::uint16_t port = 443;
  std::string ca_file;                 // PEM; empty: the system's bundle
  std::string resolve;                 // fixed IP address instead of a look-up of `host`; empty: look up
  bool allow_private_address = false;  // else only addresses of the public internet are connected to
  std::size_t most_connections = 64;   // and so many requests under way
  bool http2 = true;                   // where the portal speaks it; else HTTP/1.1 alone is offered
};

}  // namespace lmbroker::http
