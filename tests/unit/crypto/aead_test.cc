#include "service/crypto/aead.h"

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "service/crypto/encoding.h"
#include "tests/fakes/fake_random.h"

namespace lmbroker::crypto {
namespace {

// Gives the nonce of a published vector.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::string bytes) : bytes_(std::move(bytes)) {}
  void Fill(std::span<std::byte> out) override {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(bytes_.at(i));
  }

 private:
  std::string bytes_;
};

class AeadTest : public testing::Test {
 protected:
  FakeRandom random_;
  Aead aead_{Aead::NewKey(random_), random_};
};

// Test case 16 of the GCM specification (McGrew and Viega): 256-bit key, associated data, a text of 60 bytes.
TEST_F(AeadTest, VectorOfTheGcmSpecification) {
  const Secret key(*DecodeHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  const std::string text = *DecodeHex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const std::string associated = *DecodeHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  FixedRandom nonce(*DecodeHex("cafebabefacedbaddecaf888"));
  EXPECT_EQ(
      EncodeHex(Aead(key.Duplicate(), nonce).Seal(text, associated)),
      "cafebabefacedbaddecaf888"
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
      "bcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
}

TEST_F(AeadTest, SealedTextOpens) {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 1000U, 65536U}) {
    const std::string text(size, 'x');
    const std::string sealed = aead_.Seal(text, "associated");
    EXPECT_EQ(sealed.size(), size + Aead::kOverhead);
    const auto secret = aead_.Open(sealed, "associated");
    ASSERT_TRUE(secret.has_value()) << size;
    EXPECT_EQ(secret->Reveal(), text);
    EXPECT_EQ(aead_.OpenText(sealed, "associated"), text);
  }
}

TEST_F(AeadTest, EmptyAssociatedDataIsAllowedAndBound) {
  const std::string sealed = aead_.Seal("text", "");
  EXPECT_EQ(aead_.OpenText(sealed, ""), "text");
  EXPECT_EQ(aead_.OpenText(sealed, "x"), std::nullopt);
}

TEST_F(AeadTest, EveryFlippedBitIsRefused) {
  const std::string sealed = aead_.Seal("the secret", "associated");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(aead_.Open(changed, "associated").has_value()) << bit;
  }
}

TEST_F(AeadTest, EveryOtherLengthIsRefused) {
  const std::string sealed = aead_.Seal("the secret", "associated");
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(aead_.Open(sealed.substr(0, size), "associated").has_value()) << size;
    EXPECT_FALSE(aead_.Open(sealed.substr(sealed.size() - size), "associated").has_value()) << size;
  }
  EXPECT_FALSE(aead_.Open(sealed + '\0', "associated").has_value());
  EXPECT_FALSE(aead_.Open(std::string(10'000'000, 'x'), "associated").has_value());
}

TEST_F(AeadTest, OtherAssociatedDataIsRefused) {
  const std::string sealed = aead_.Seal("the secret", "associated");
  for (const std::string_view other : {"", "Associated", "associated ", "associate", "associated\n"}) {
    EXPECT_FALSE(aead_.Open(sealed, other).has_value()) << other;
  }
}

TEST_F(AeadTest, OtherKeyIsRefused) {
  const Aead other(Aead::NewKey(random_), random_);
  EXPECT_FALSE(other.Open(aead_.Seal("the secret", ""), "").has_value());
}

TEST_F(AeadTest, SameTextNeverSealsToTheSameBytes) {
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(nonces.insert(aead_.Seal("text", "").substr(0, 12)).second);
}

TEST(AeadDeathTest, KeyOfAnotherSizeEndsTheProcess) {
  FakeRandom random;
  EXPECT_DEATH(Aead(Secret("sixteen bytes..."), random), "key of another size");
}

}  // namespace
}  // namespace lmbroker::crypto
