#pragma once

#include "lmbroker/v1/credential_service.grpc.pb.h"
#include "service/core/credential_admin.h"
#include "service/core/rotator.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// CredentialService over core::CredentialAdmin and core::Rotator.
class CredentialService final
    : public v1::CredentialService::WithRawMethod_ImportCredential<v1::CredentialService::AsyncService> {
 public:
  CredentialService(Edge& edge, core::CredentialAdmin& admin, core::Rotator& rotator)
      : edge_(edge), admin_(admin), rotator_(rotator) {}

  // Takes calls from `queue` from now on; once, when the server runs.
  void TakeCalls(CallQueue& queue);

 private:
  Edge& edge_;
  core::CredentialAdmin& admin_;
  core::Rotator& rotator_;
};

}  // namespace lmbroker::rpc
