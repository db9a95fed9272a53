// A key ring file is one ring or none: what is read is written the same, keeps the rules, and no refusal shows a key.

#include <algorithm>

#include "service/base/text.h"
#include "service/crypto/key_ring_text.h"
#include "service/crypto/protected_ring_text.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

void RequireQuietError(const absl::Status& status, std::string_view input) {
  Require(absl::IsInvalidArgument(status), "the code of the error");
  const std::string_view message = ToStd(status.message());
  Require(message.size() < 200, "a message is short");
  constexpr std::size_t kPiece = 32;  // keys and seeds are longer and have no blank; our own words have
  for (std::size_t at = 0; at + kPiece <= input.size(); ++at) {
    const std::string_view piece = input.substr(at, kPiece);
    if (piece.find(' ') != std::string_view::npos) continue;
    Require(message.find(piece) == std::string_view::npos, "a message shows nothing of the file");
  }
}

void CheckProtected(std::string_view input) {
  const auto ring = crypto::ParseProtectedRing(input);
  if (!ring.ok()) return RequireQuietError(ring.status(), input);
  Require(ring->parameters.IsAllowed(), "scrypt's cost is bounded");
  const std::string text = crypto::FormatProtectedRing(*ring);
  Require(crypto::IsProtectedRing(text), "what is written is told from other rings");
  const auto again = crypto::ParseProtectedRing(text);
  Require(again.ok() && again->parameters == ring->parameters && again->sealed == ring->sealed, "it reads back");
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  CheckProtected(input);
  const auto ring = crypto::ParseKeyRing(input);
  if (!ring.ok()) return RequireQuietError(ring.status(), input);
  const auto primaries = std::count_if(ring->keys.begin(), ring->keys.end(), [](const crypto::RingKey& key) {
    return key.info.state == crypto::KeyState::kPrimary;
  });
  Require(primaries == 1, "one key is primary");
  Require(ring->keys.size() <= crypto::kMostRingKeys, "the ring is bounded");
  for (const crypto::RingKey& key : ring->keys) {
    Require(key.key.size() == 32, "every key has its size");
    Require(key.info.version > 0 && key.info.version <= ring->highest_version, "no version is above the highest");
  }
  const Secret text = crypto::FormatKeyRing(*ring);
  const auto again = crypto::ParseKeyRing(text.Reveal());
  Require(again.ok() && crypto::FormatKeyRing(*again) == text, "what is written reads back");
}

}  // namespace lmbroker::fuzz
