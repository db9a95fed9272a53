#include "service/crypto/ring_lock.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/aead.h"
#include "service/crypto/encoding.h"
#include "service/crypto/protected_ring_text.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::crypto {
namespace {

using testing::HasSubstr;

const std::string kSalt(ScryptParameters::kSaltBytes, 's');

// As cheap as is allowed.
RingLock Cheap(std::string_view passphrase) {
  return RingLock::Derive(Secret(passphrase), {.n = 16384, .r = 1, .p = 1, .salt = kSalt});
}

TEST(RingLockTest, OnlyTheSamePassphraseOpens) {
  FakeRandom random;
  const std::string sealed = Cheap("passphrase").Seal(Secret("ring"), random);
  EXPECT_TRUE(*Cheap("passphrase").Open(sealed) == Secret("ring"));
  for (const std::string_view other : {"Passphrase", "passphrase ", "", "passphras"}) {
    EXPECT_FALSE(Cheap(other).Open(sealed).has_value()) << other;
  }
}

TEST(RingLockTest, ParametersAreBoundIn) {
  FakeRandom random;
  const std::string sealed = Cheap("passphrase").Seal(Secret("ring"), random);
  const ScryptParameters good{.n = 16384, .r = 1, .p = 1, .salt = kSalt};
  std::vector<ScryptParameters> others(4, good);
  others[0].n = 32768;
  others[1].r = 2;
  others[2].p = 2;
  others[3].salt[0] = 'x';
  for (const ScryptParameters& other : others) {
    EXPECT_FALSE(RingLock::Derive(Secret("passphrase"), other).Open(sealed).has_value());
  }
}

TEST(RingLockTest, NewLocksHaveSaltsOfTheirOwnAndPassphrasesThatCannotBeGuessedAtOnce) {
  FakeRandom random;
  const Secret passphrase("a passphrase of the test");
  const auto one = RingLock::Make(passphrase, random);
  const auto two = RingLock::Make(passphrase, random);
  EXPECT_NE(one->parameters().salt, two->parameters().salt);
  EXPECT_TRUE(one->parameters().IsAllowed());
  for (const std::size_t size : {0U, 11U, 1025U}) {
    EXPECT_THAT(RingLock::Make(Secret(std::string(size, 'p')), random),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("12 to 1024 bytes")));
  }
}

// RFC 7914, section 12, the vector within our bounds.
TEST(RingLockTest, ScryptIsThatOfTheRfc) {
  EXPECT_TRUE(ScryptParameters({.n = 16384, .r = 8, .p = 1, .salt = kSalt}).IsAllowed());
  FakeRandom random;
  const RingLock lock =
      RingLock::Derive(Secret("pleaseletmein"), {.n = 16384, .r = 8, .p = 1, .salt = "SodiumChloride"});
  const auto key = DecodeHex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
  const std::string sealed = lock.Seal(Secret("ring"), random);
  const Aead same(Secret(*key), random);
  EXPECT_TRUE(same.Open(sealed, "lmbroker key ring, scrypt 16384 8 1 536f6469756d43686c6f72696465").has_value());
}

// A hostile file would take all memory, or hours.
TEST(RingLockTest, CostlyParametersAreRefused) {
  const auto most = std::numeric_limits<std::uint32_t>::max();
  for (const auto& [n, r, p] : std::vector<std::array<std::uint32_t, 3>>{{8192, 8, 1},
                                                                         {131073, 8, 1},
                                                                         {0, 8, 1},
                                                                         {1U << 21, 1, 1},
                                                                         {1U << 20, 8, 1},
                                                                         {131072, 0, 1},
                                                                         {131072, 33, 1},
                                                                         {131072, 8, 0},
                                                                         {131072, 8, 5},
                                                                         {1U << 31, most, most}}) {
    const ScryptParameters parameters{.n = n, .r = r, .p = p, .salt = kSalt};
    EXPECT_FALSE(parameters.IsAllowed()) << n << " " << r << " " << p;
    const std::string text = FormatProtectedRing({.parameters = parameters, .sealed = "sealed"});
    EXPECT_THAT(ParseProtectedRing(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("beyond")));
  }
  EXPECT_FALSE(ScryptParameters({.salt = "short"}).IsAllowed());
}

TEST(ProtectedRingTextTest, WhatIsWrittenReadsBack) {
  const ProtectedRing ring{.parameters = {.salt = kSalt}, .sealed = std::string("\0sealed\xFF", 8)};
  const std::string text = FormatProtectedRing(ring);
  EXPECT_TRUE(IsProtectedRing(text));
  const auto again = ParseProtectedRing(text);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->parameters, ring.parameters);
  EXPECT_EQ(again->sealed, ring.sealed);
}

TEST(ProtectedRingTextTest, EveryTruncationAndEveryOtherFieldIsRefused) {
  const std::string text = FormatProtectedRing({.parameters = {.salt = kSalt}, .sealed = "sealed"});
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_FALSE(ParseProtectedRing(text.substr(0, size)).ok()) << size;
  }
  for (const std::string_view field : {"format", "kdf", "n\"", "r\"", "p\"", "salt", "sealed", "scrypt"}) {
    std::string changed = text;
    changed[changed.find(field)] = 'X';
    EXPECT_FALSE(ParseProtectedRing(changed).ok()) << field;
  }
  EXPECT_FALSE(ParseProtectedRing(text + "{}").ok());
  EXPECT_FALSE(IsProtectedRing(R"({"format": "lmbroker-keyring-1", "keys": []})"));
  EXPECT_FALSE(IsProtectedRing(""));
}

}  // namespace
}  // namespace lmbroker::crypto
