#pragma once

#include "service/base/clock.h"
#include "service/base/metrics.h"
#include "service/http/client.h"

namespace lmbroker::http {

// A client that counts what portals answer, and how long they take, around another one. Safe for concurrent use.
class MeteredClient final : public Client {
 public:
  // All must outlive this, and the transfers that it starts.
  MeteredClient(Client& client, const Clock& clock, Metrics& metrics)
      : client_(client), clock_(clock), metrics_(metrics) {}

  void Send(OutgoingRequest request, SendOptions options, Done done) override;

 private:
  Client& client_;
  const Clock& clock_;
  Metrics& metrics_;
};

}  // namespace lmbroker::http
