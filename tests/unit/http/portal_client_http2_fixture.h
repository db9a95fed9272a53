#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tests/support/http2_server.h"
#include "tests/unit/http/portal_client_fixture.h"

namespace lmbroker::http {

// A real client, and real TLS servers that choose HTTP/2.
class PortalClientHttp2Fixture : public PortalClientFixture {
 protected:
  std::unique_ptr<TlsServer> ServeH2Script(TlsServer::Script script) const {
    return std::make_unique<TlsServer>(ca_.IssueServer(std::string(kHost)), std::move(script),
                                       TlsServer::Options{.protocol = "h2"});
  }
  std::unique_ptr<TlsServer> ServeH2(Http2Handler handle, const Http2Server::Options& options = {}) const {
    return ServeH2Script(ServeHttp2(std::move(handle), options));
  }

  // A GET that the portal knows by its number.
  static OutgoingRequest Numbered(int number, std::string path = "/device/devices") {
    return OutgoingRequestPeer::Make({.method = "GET", .path = std::move(path)}, "Bearer not-a-real-key",
                                     "call-" + std::to_string(number));
  }
  // What the portal sees of OutgoingRequestPeer::Get(path).
  static bool AsksFor(const Http2Server& http2, std::int32_t id, const std::string& path) {
    return http2.request(id).Field(":path") == "/santaba/rest" + path;
  }
};

}  // namespace lmbroker::http
