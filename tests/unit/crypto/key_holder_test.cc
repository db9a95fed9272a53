#include "service/crypto/key_holder.h"

#include <memory>

#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/crypto/aead.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::crypto {
namespace {

// Wraps with a version of its own.
class NumberedKey final : public KeyWrapper {
 public:
  NumberedKey(std::uint32_t version, Random& random) : version_(version), key_(Aead::NewKey(random), random) {}
  std::uint32_t PrimaryVersion() const override { return version_; }
  absl::StatusOr<WrappedKey> Wrap(const Secret& data_key, std::string_view associated) const override {
    return WrappedKey{.key_version = version_, .bytes = key_.Seal(data_key.Reveal(), associated)};
  }
  absl::StatusOr<Secret> Unwrap(const WrappedKey& wrapped, std::string_view associated) const override {
    auto data_key = key_.Open(wrapped.bytes, associated);
    if (!data_key.has_value()) return Refuse(Reason::kInternal, "Does not unwrap.");
    return *std::move(data_key);
  }

 private:
  const std::uint32_t version_;
  const Aead key_;
};

TEST(KeyHolderTest, WithoutKeysItIsSealed) {
  const KeyHolder holder;
  EXPECT_EQ(holder.PrimaryVersion(), 0U);
  EXPECT_THAT(holder.Wrap(Secret("key"), ""), RefusedWith(Reason::kSealed));
  EXPECT_THAT(holder.Unwrap({.key_version = 1, .bytes = "wrapped"}, ""), RefusedWith(Reason::kSealed));
}

TEST(KeyHolderTest, KeysInForceAreThoseSetLast) {
  FakeRandom random;
  KeyHolder holder(std::make_shared<NumberedKey>(1, random));
  const auto wrapped = *holder.Wrap(Secret("key"), "a");
  EXPECT_EQ(wrapped.key_version, 1U);
  EXPECT_TRUE(*holder.Unwrap(wrapped, "a") == Secret("key"));
  holder.Set(std::make_shared<NumberedKey>(2, random));
  EXPECT_EQ(holder.PrimaryVersion(), 2U);
  EXPECT_EQ(holder.Wrap(Secret("key"), "a")->key_version, 2U);
  EXPECT_THAT(holder.Unwrap(wrapped, "a"), RefusedWith(Reason::kInternal));
  holder.Set(nullptr);
  EXPECT_THAT(holder.Wrap(Secret("key"), ""), RefusedWith(Reason::kSealed));
}

// A swap wipes the old keys as soon as nobody uses them, not before.
TEST(KeyHolderTest, OldKeysLiveAsLongAsTheirLastUser) {
  FakeRandom random;
  auto keys = std::make_shared<NumberedKey>(1, random);
  const std::weak_ptr<NumberedKey> watched = keys;
  KeyHolder holder(std::move(keys));
  auto in_use = holder.Get();
  holder.Set(nullptr);
  EXPECT_FALSE(watched.expired());
  in_use.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace lmbroker::crypto
