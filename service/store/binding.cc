#include "service/store/binding.h"

namespace lmbroker::store {

crypto::Binding BindingOf(const CredentialRecord& credential) {
  const bool lmv1 = credential.type == TokenType::kLmv1;
  return {.credential = credential.name,
          .version = credential.version,
          .purpose = lmv1 ? crypto::Purpose::kAccessKey : crypto::Purpose::kBearerToken};
}

}  // namespace lmbroker::store
