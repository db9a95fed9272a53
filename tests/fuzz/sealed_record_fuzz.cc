// Sealed bytes open to a secret only as they were made: whatever is changed of them is refused, and so is anything
// else. An input is sealed bytes, or a list of changes (position, value) to good ones when its first byte is 'c'.

#include <cstdint>

#include "service/base/error.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_ring.h"
#include "tests/fakes/fake_random.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

struct World {
  FakeRandom random;
  crypto::KeyRing ring = MakeRing(random);
  crypto::Envelope envelope{ring, random};
  crypto::Binding binding{.credential = *CredentialName::FromId(*PortalName::FromId("acme", ""), "reader", ""),
                          .version = 3};
  const Secret secret{"lma_Invented(Key)For{Fuzzing}"};
  crypto::SealedSecret good = *envelope.Seal(secret, binding);

  static crypto::KeyRing MakeRing(FakeRandom& random) {
    crypto::RingContent content{.keys = {}, .highest_version = 1};
    content.keys.push_back(
        {.info = {.version = 1, .state = crypto::KeyState::kPrimary}, .key = crypto::Aead::NewKey(random)});
    return {std::move(content), random};
  }
};

crypto::SealedSecret Changed(crypto::SealedSecret sealed, std::string_view changes) {
  for (std::size_t at = 0; at + 2 <= changes.size(); at += 2) {
    const auto position = static_cast<std::uint8_t>(changes[at]);
    sealed.bytes[position % sealed.bytes.size()] = changes[at + 1];
  }
  return sealed;
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  static World world;
  crypto::SealedSecret sealed{.bytes = std::string(input), .key_version = 1};
  if (input.starts_with('c')) sealed = Changed(world.good, input.substr(1));
  const bool is_good = sealed.bytes == world.good.bytes;
  const auto opened = world.envelope.Open(sealed, world.binding);
  Require(opened.ok() == is_good, "it opens as it was made, and not otherwise");
  if (opened.ok()) Require(*opened == world.secret, "it opens to what was sealed");
  if (!opened.ok()) RequireRefusal(opened.status(), Reason::kInternal);
  // The secret under its data key is moved, not judged: only the other half is known to be good.
  const auto again = world.envelope.Rewrap(sealed, world.binding);
  if (is_good) Require(again.ok() && world.envelope.Open(*again, world.binding).ok(), "it is wrapped again");
  if (!again.ok()) RequireRefusal(again.status(), Reason::kInternal);
  if (again.ok() && !is_good) Require(!world.envelope.Open(*again, world.binding).ok(), "damage stays damage");
}

}  // namespace lmbroker::fuzz
