// A key set is read whole or not at all, and what is read can verify.

#include "service/identity/key_set.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {

LMBROKER_FUZZ_TARGET(input) {
  const auto keys = identity::KeySet::Parse(input);
  if (!keys.ok()) {
    Require(absl::IsInvalidArgument(keys.status()), "the error says that the text is at fault");
    Require(keys.status().message().size() < 200, "a message is short");
    return;
  }
  Require(keys->size() >= 1 && keys->size() <= 64, "the number of keys is bounded, and not none");
  Require(keys->Find("") == nullptr, "a key has a name");
  if (const identity::PublicKey* const key = keys->Find("k"); key != nullptr) {
    Require(!key->Verify("message", std::string(64, 'x')), "nobody signed it");
    Require(!key->Verify("message", std::string(256, 'x')), "nobody signed it");
  }
}

}  // namespace lmbroker::fuzz
