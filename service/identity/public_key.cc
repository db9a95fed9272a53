#include "service/identity/public_key.h"

#include <cstddef>
#include <string>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "service/crypto/openssl_ptr.h"

namespace lmbroker::identity {
namespace {

using crypto::CheckOpenssl;
using crypto::OpensslPtr;
using Number = OpensslPtr<BIGNUM, BN_free>;
using Builder = OpensslPtr<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = OpensslPtr<OSSL_PARAM, OSSL_PARAM_free>;
using KeyContext = OpensslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = OpensslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using Signature = OpensslPtr<ECDSA_SIG, ECDSA_SIG_free>;

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 8192;
constexpr int kMostExponentBits = 64;  // beyond it each check would cost as much as signing
constexpr std::size_t kP256Bytes = 32;

const unsigned char* Octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

Number NumberOf(std::string_view bytes) {
  Number number(BN_bin2bn(Octets(bytes), static_cast<int>(bytes.size()), nullptr));
  CheckOpenssl(number != nullptr, "BN_bin2bn");
  return number;
}

// The two numbers of an ES256 signature in the form that OpenSSL verifies; empty when they are none.
std::string DerOf(std::string_view signature) {
  if (signature.size() != 2 * kP256Bytes) return "";
  const Signature numbers(ECDSA_SIG_new());
  CheckOpenssl(numbers != nullptr, "ECDSA_SIG_new");
  CheckOpenssl(ECDSA_SIG_set0(numbers.get(), NumberOf(signature.substr(0, kP256Bytes)).release(),
                              NumberOf(signature.substr(kP256Bytes)).release()) == 1,
               "ECDSA_SIG_set0");
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(numbers.get(), &der);
  CheckOpenssl(size > 0, "i2d_ECDSA_SIG");
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

}  // namespace

void PublicKey::FreeKey::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

// Null when OpenSSL refuses the numbers, e.g. a point that is not on the curve.
PublicKey::Key PublicKey::Make(const char* type, OSSL_PARAM_BLD* numbers) {
  const Params params(OSSL_PARAM_BLD_to_param(numbers));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  CheckOpenssl(params != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1,
               "EVP_PKEY_fromdata_init");
  EVP_PKEY* key = nullptr;
  const bool good = EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  Key owned(key);
  const KeyContext check(owned == nullptr ? nullptr : EVP_PKEY_CTX_new_from_pkey(nullptr, owned.get(), nullptr));
  const bool sound = good && check != nullptr && EVP_PKEY_public_check(check.get()) == 1;
  ERR_clear_error();
  return sound ? std::move(owned) : nullptr;
}

absl::StatusOr<PublicKey> PublicKey::Rsa(std::string_view modulus, std::string_view exponent) {
  if (modulus.size() > 2 * kMostRsaBits / 8 || exponent.size() > modulus.size()) {
    return absl::InvalidArgumentError("has numbers that are too long");
  }
  const Number n = NumberOf(modulus);
  const Number e = NumberOf(exponent);
  if (BN_num_bits(n.get()) < kLeastRsaBits || BN_num_bits(n.get()) > kMostRsaBits) {
    return absl::InvalidArgumentError("is not an RSA key of 2048 to 8192 bits");
  }
  if (BN_num_bits(e.get()) < 2 || BN_num_bits(e.get()) > kMostExponentBits || !BN_is_odd(e.get())) {
    return absl::InvalidArgumentError("has no usable RSA exponent");
  }
  const Builder numbers(OSSL_PARAM_BLD_new());
  CheckOpenssl(numbers != nullptr && OSSL_PARAM_BLD_push_BN(numbers.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                   OSSL_PARAM_BLD_push_BN(numbers.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1,
               "OSSL_PARAM_BLD_push_BN");
  Key key = Make("RSA", numbers.get());
  if (key == nullptr) return absl::InvalidArgumentError("is no RSA key");
  return PublicKey(SignatureAlgorithm::kRs256, std::move(key));
}

absl::StatusOr<PublicKey> PublicKey::P256(std::string_view x, std::string_view y) {
  if (x.size() != kP256Bytes || y.size() != kP256Bytes) {
    return absl::InvalidArgumentError("has coordinates that are not 32 bytes long");
  }
  const std::string point = "\x04" + std::string(x) + std::string(y);
  const Builder numbers(OSSL_PARAM_BLD_new());
  CheckOpenssl(
      numbers != nullptr &&
          OSSL_PARAM_BLD_push_utf8_string(numbers.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
          OSSL_PARAM_BLD_push_octet_string(numbers.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1,
      "OSSL_PARAM_BLD_push");
  Key key = Make("EC", numbers.get());
  if (key == nullptr) return absl::InvalidArgumentError("is no point of P-256");
  return PublicKey(SignatureAlgorithm::kEs256, std::move(key));
}

bool PublicKey::Verify(std::string_view message, std::string_view signature) const {
  std::string der;
  if (algorithm_ == SignatureAlgorithm::kEs256) {
    der = DerOf(signature);
    signature = der;
  }
  if (signature.empty()) return false;
  const DigestContext context(EVP_MD_CTX_new());
  CheckOpenssl(
      context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1,
      "EVP_DigestVerifyInit");
  const bool good =
      EVP_DigestVerify(context.get(), Octets(signature), signature.size(), Octets(message), message.size()) == 1;
  ERR_clear_error();  // TLS may be next on this thread, and must not find our errors
  return good;
}

}  // namespace lmbroker::identity
