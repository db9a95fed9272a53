#include <iostream>

#include "client/connection.h"
#include "client/refusal.h"

using lmbroker::v1::ForwardRequest;
using lmbroker::v1::ForwardService;

// Usage: example ADDRESS CA CERT KEY
int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto broker =
      lmbroker::client::Connection::Create({.address = argv[1], .ca = argv[2], .cert = argv[3], .key = argv[4]});
  if (!broker.ok()) return std::cerr << broker.status() << '\n', 2;

  ForwardRequest request;
  request.set_portal("portals/acme");
  request.set_method("GET");
  request.set_path("/device/devices");
  const auto reply = (*broker)->Call(&ForwardService::Stub::Forward, request);
  if (const auto refusal = lmbroker::client::RefusalOf(reply.status())) {
    return std::cerr << refusal->reason << ": " << refusal->message << '\n', 1;
  }
  if (!reply.ok()) return std::cerr << reply.status() << '\n', 3;
  std::cout << reply->status() << ' ' << reply->body() << '\n';
}
