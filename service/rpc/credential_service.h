#pragma once

#include "lmbroker/v1/credential_service.pb.h"
#include "service/core/credential_admin.h"
#include "service/core/rotator.h"
#include "service/rpc/edge.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// CredentialService over core::CredentialAdmin and core::Rotator.
class CredentialService final {
 public:
  CredentialService(Edge& edge, core::CredentialAdmin& admin, core::Rotator& rotator)
      : edge_(edge), admin_(admin), rotator_(rotator) {}

  void AddTo(Methods& methods);

 private:
  Edge& edge_;
  core::CredentialAdmin& admin_;
  core::Rotator& rotator_;
};

}  // namespace lmbroker::rpc
