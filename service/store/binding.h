#pragma once

#include "service/crypto/envelope.h"
#include "service/store/records.h"

namespace lmbroker::store {

// What the secret of this credential is sealed with: its name, its version, and what it is for.
crypto::Binding BindingOf(const CredentialRecord& credential);

}  // namespace lmbroker::store
