#pragma once

#include <memory>
#include <string_view>

#include <absl/status/statusor.h>
#include <openssl/types.h>

namespace lmbroker::identity {

// How tokens may be signed (RFC 7518, section 3.1). Each belongs to one kind of key, so that a token cannot choose how
// a key is used.
enum class SignatureAlgorithm {
  kRs256,  // RSASSA-PKCS1-v1_5 with SHA-256, by an RSA key of 2048 to 8192 bits
  kEs256,  // ECDSA with SHA-256, by a key on P-256
};

// A public key that verifies signatures of its one algorithm. Safe for concurrent use.
class PublicKey {
 public:
  // The numbers as unsigned big-endian bytes. INVALID_ARGUMENT, as the end of "The key …", for what is no such key.
  static absl::StatusOr<PublicKey> Rsa(std::string_view modulus, std::string_view exponent);
  static absl::StatusOr<PublicKey> P256(std::string_view x, std::string_view y);

  SignatureAlgorithm algorithm() const { return algorithm_; }
  // `signature` as RFC 7518 writes it: for ES256 the two numbers, 32 bytes each.
  bool Verify(std::string_view message, std::string_view signature) const;

 private:
  struct FreeKey {
    void operator()(EVP_PKEY* key) const;
  };
  using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

  PublicKey(SignatureAlgorithm algorithm, Key key) : algorithm_(algorithm), key_(std::move(key)) {}
  static Key Make(const char* type, OSSL_PARAM_BLD* numbers);

  SignatureAlgorithm algorithm_;
  Key key_;
};

}  // namespace lmbroker::identity
