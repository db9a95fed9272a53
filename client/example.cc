#include <iostream>

#include "client/connection.h"
#include "client/refusal.h"

// Usage: example ADDRESS CA CERT KEY
int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto broker =
      lmbroker::client::Connection::Create({.address = argv[1], .ca = argv[2], .cert = argv[3], .key = argv[4]});
  if (!broker.ok()) {
    std::cerr << broker.status() << '\n';
    return 2;
  }
  lmbroker::v1::ForwardRequest request;
  request.set_portal("portals/acme");
  request.set_method("GET");
  request.set_path("/device/devices");
  const auto reply = (*broker)->Call(&lmbroker::v1::ForwardService::Stub::Forward, request);
  if (!reply.ok()) {
    const auto refusal = lmbroker::client::RefusalOf(reply.status());
    std::cerr << (refusal ? refusal->reason + ": " + refusal->message : reply.status().ToString()) << '\n';
    return 1;
  }
  std::cout << "HTTP " << reply->status() << '\n' << reply->body() << '\n';
}
