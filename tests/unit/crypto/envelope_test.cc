#include "service/crypto/envelope.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/crypto/aead.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::crypto {
namespace {

// A key service in memory that can be told to promote another version or to fail.
class FakeKeyWrapper final : public KeyWrapper {
 public:
  explicit FakeKeyWrapper(Random& random) {
    for (const std::uint32_t version : {1U, 2U}) keys_.emplace(version, Aead(Aead::NewKey(random), random));
  }

  std::uint32_t PrimaryVersion() const override { return primary; }
  absl::StatusOr<WrappedKey> Wrap(const Secret& data_key, std::string_view associated) const override {
    if (broken) return Refuse(Reason::kSealed, "The key service does not answer.");
    return WrappedKey{.key_version = primary, .bytes = keys_.at(primary).Seal(data_key.Reveal(), associated)};
  }
  absl::StatusOr<Secret> Unwrap(const WrappedKey& wrapped, std::string_view associated) const override {
    if (broken || !keys_.contains(wrapped.key_version)) return Refuse(Reason::kSealed, "No such key.");
    auto data_key = keys_.at(wrapped.key_version).Open(wrapped.bytes, associated);
    if (!data_key.has_value()) return Refuse(Reason::kInternal, "Does not unwrap.");
    return *std::move(data_key);
  }

  std::uint32_t primary = 1;
  bool broken = false;

 private:
  std::map<std::uint32_t, Aead> keys_;
};

CredentialName Credential(std::string_view portal, std::string_view id) {
  return *CredentialName::FromId(*PortalName::FromId(portal, "portal"), id, "credential");
}

class EnvelopeTest : public testing::Test {
 protected:
  FakeRandom random_;
  FakeKeyWrapper keys_{random_};
  Envelope envelope_{keys_, random_};
  const Secret secret_{"lma_Invented(Key)For{Tests}=0123456789+^~"};
  const Binding binding_{.credential = Credential("acme", "reader"), .version = 3, .purpose = Purpose::kAccessKey};
};

TEST_F(EnvelopeTest, SealedSecretOpens) {
  const auto sealed = envelope_.Seal(secret_, binding_);
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(sealed->key_version, 1U);
  const auto secret = envelope_.Open(*sealed, binding_);
  ASSERT_THAT(secret, IsOk());
  EXPECT_TRUE(*secret == secret_);
}

TEST_F(EnvelopeTest, SecretIsNotInTheSealedBytes) {
  const auto sealed = envelope_.Seal(secret_, binding_);
  EXPECT_EQ(sealed->bytes.find("lma_"), std::string::npos);
  EXPECT_EQ(sealed->bytes.find(secret_.Reveal().substr(10, 6)), std::string::npos);
}

TEST_F(EnvelopeTest, SameSecretNeverSealsToTheSameBytes) {
  const auto first = envelope_.Seal(secret_, binding_);
  const auto second = envelope_.Seal(secret_, binding_);
  EXPECT_NE(first->bytes, second->bytes);
}

TEST_F(EnvelopeTest, EveryFlippedBitIsRefused) {
  const SealedSecret sealed = *envelope_.Seal(secret_, binding_);
  for (std::size_t bit = 0; bit < sealed.bytes.size() * 8; ++bit) {
    SealedSecret changed = sealed;
    changed.bytes[bit / 8] = static_cast<char>(changed.bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_THAT(envelope_.Open(changed, binding_), RefusedWith(Reason::kInternal)) << bit;
  }
}

TEST_F(EnvelopeTest, EveryTruncationAndAnyTailIsRefused) {
  const SealedSecret sealed = *envelope_.Seal(secret_, binding_);
  for (std::size_t size = 0; size < sealed.bytes.size(); ++size) {
    const SealedSecret cut{.bytes = sealed.bytes.substr(0, size), .key_version = sealed.key_version};
    EXPECT_THAT(envelope_.Open(cut, binding_), RefusedWith(Reason::kInternal)) << size;
  }
  const SealedSecret longer{.bytes = sealed.bytes + '\0', .key_version = sealed.key_version};
  EXPECT_THAT(envelope_.Open(longer, binding_), RefusedWith(Reason::kInternal));
}

TEST_F(EnvelopeTest, AnotherBindingIsRefused) {
  const SealedSecret sealed = *envelope_.Seal(secret_, binding_);
  const std::vector<Binding> others = {
      {.credential = Credential("acme", "writer"), .version = 3, .purpose = Purpose::kAccessKey},
      {.credential = Credential("acme-two", "reader"), .version = 3, .purpose = Purpose::kAccessKey},
      {.credential = Credential("reader", "acme"), .version = 3, .purpose = Purpose::kAccessKey},
      {.credential = Credential("acmer", "eader"), .version = 3, .purpose = Purpose::kAccessKey},
      {.credential = Credential("acme", "reader"), .version = 2, .purpose = Purpose::kAccessKey},
      {.credential = Credential("acme", "reader"), .version = 4, .purpose = Purpose::kAccessKey},
      {.credential = Credential("acme", "reader"), .version = -3, .purpose = Purpose::kAccessKey},
      {.credential = Credential("acme", "reader"), .version = 3, .purpose = Purpose::kBearerToken},
  };
  for (const Binding& other : others) {
    EXPECT_THAT(envelope_.Open(sealed, other), RefusedWith(Reason::kInternal))
        << other.credential.ToString() << " " << other.version;
  }
}

TEST_F(EnvelopeTest, SwappedPartsOfTwoSealsAreRefused) {
  const SealedSecret one = *envelope_.Seal(secret_, binding_);
  const SealedSecret two = *envelope_.Seal(Secret("another secret"), binding_);
  constexpr std::size_t kWrappedEnd = 7 + Aead::kKeyBytes + Aead::kOverhead;
  const SealedSecret mixed{.bytes = one.bytes.substr(0, kWrappedEnd) + two.bytes.substr(kWrappedEnd), .key_version = 1};
  EXPECT_THAT(envelope_.Open(mixed, binding_), RefusedWith(Reason::kInternal));
}

TEST_F(EnvelopeTest, KeyVersionBesideTheBytesMustAgreeWithThem) {
  SealedSecret sealed = *envelope_.Seal(secret_, binding_);
  sealed.key_version = 2;
  EXPECT_THAT(envelope_.Open(sealed, binding_), RefusedWith(Reason::kInternal));
}

TEST_F(EnvelopeTest, OldSealsOpenAfterAPromotionAndNewOnesUseThePrimary) {
  const SealedSecret before = *envelope_.Seal(secret_, binding_);
  keys_.primary = 2;
  const SealedSecret after = *envelope_.Seal(secret_, binding_);
  EXPECT_EQ(after.key_version, 2U);
  EXPECT_THAT(envelope_.Open(before, binding_), IsOk());
  EXPECT_THAT(envelope_.Open(after, binding_), IsOk());
}

TEST_F(EnvelopeTest, WrappedAgainItIsThePrimarysAndTheSecretIsUntouched) {
  constexpr std::size_t kWrappedEnd = 7 + Aead::kKeyBytes + Aead::kOverhead;
  const SealedSecret before = *envelope_.Seal(secret_, binding_);
  keys_.primary = 2;
  const auto after = envelope_.Rewrap(before, binding_);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->key_version, 2U);
  EXPECT_EQ(after->bytes.substr(kWrappedEnd), before.bytes.substr(kWrappedEnd));
  EXPECT_NE(after->bytes.substr(7, 60), before.bytes.substr(7, 60));
  EXPECT_TRUE(*envelope_.Open(*after, binding_) == secret_);
}

TEST_F(EnvelopeTest, WhatDoesNotOpenIsNotWrappedAgain) {
  const SealedSecret sealed = *envelope_.Seal(secret_, binding_);
  keys_.primary = 2;
  Binding other = binding_;
  other.version = 4;
  EXPECT_THAT(envelope_.Rewrap(sealed, other), RefusedWith(Reason::kInternal));
  SealedSecret changed = sealed;
  changed.key_version = 2;
  EXPECT_THAT(envelope_.Rewrap(changed, binding_), RefusedWith(Reason::kInternal));
  for (std::size_t size = 0; size < 7 + Aead::kKeyBytes + Aead::kOverhead; ++size) {
    const SealedSecret cut{.bytes = sealed.bytes.substr(0, size), .key_version = 1};
    EXPECT_THAT(envelope_.Rewrap(cut, binding_), RefusedWith(Reason::kInternal)) << size;
  }
}

TEST_F(EnvelopeTest, RefusalOfTheKeyServiceIsPassedOn) {
  const SealedSecret sealed = *envelope_.Seal(secret_, binding_);
  keys_.broken = true;
  EXPECT_THAT(envelope_.Rewrap(sealed, binding_), RefusedWith(Reason::kSealed));
  EXPECT_THAT(envelope_.Seal(secret_, binding_), RefusedWith(Reason::kSealed));
  EXPECT_THAT(envelope_.Open(sealed, binding_), RefusedWith(Reason::kSealed));
}

TEST_F(EnvelopeTest, EmptyAndLargestSecretsSeal) {
  for (const std::size_t size : {std::size_t{0}, Aead::kMostBytes}) {
    const Secret secret(std::string(size, 's'));
    const auto sealed = envelope_.Seal(secret, binding_);
    ASSERT_THAT(sealed, IsOk());
    const auto opened = envelope_.Open(*sealed, binding_);
    ASSERT_THAT(opened, IsOk());
    EXPECT_TRUE(*opened == secret);
  }
}

TEST_F(EnvelopeTest, ValueOpensUnderItsOwnNameOnly) {
  const auto sealed = envelope_.Seal(secret_, ValueBinding{"store key"});
  ASSERT_THAT(sealed, IsOk());
  EXPECT_TRUE(*envelope_.Open(*sealed, ValueBinding{"store key"}) == secret_);
  EXPECT_THAT(envelope_.Open(*sealed, ValueBinding{"audit key"}), RefusedWith(Reason::kInternal));
  EXPECT_THAT(envelope_.Open(*sealed, ValueBinding{""}), RefusedWith(Reason::kInternal));
}

TEST_F(EnvelopeTest, ValueAndCredentialAreNeverTakenForEachOther) {
  EXPECT_THAT(envelope_.Open(*envelope_.Seal(secret_, binding_), ValueBinding{"access key"}),
              RefusedWith(Reason::kInternal));
  EXPECT_THAT(envelope_.Open(*envelope_.Seal(secret_, ValueBinding{"access key"}), binding_),
              RefusedWith(Reason::kInternal));
}

}  // namespace
}  // namespace lmbroker::crypto
