#include "tests/support/test_tokens.h"

#include <cstdlib>
#include <vector>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "service/crypto/encoding.h"

namespace lmbroker {
namespace {

// A test without its keys cannot go on.
void Require(bool good) {
  if (!good) std::abort();
}

std::string BytesOf(const BIGNUM* number, std::size_t size) {
  std::vector<unsigned char> bytes(size == 0 ? static_cast<std::size_t>(BN_num_bytes(number)) : size);
  Require(BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size())) >= 0);
  return {bytes.begin(), bytes.end()};
}

// The two numbers of an ECDSA signature, 32 bytes each.
std::string RawOf(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* const signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  Require(signature != nullptr);
  const std::string raw = BytesOf(ECDSA_SIG_get0_r(signature), 32) + BytesOf(ECDSA_SIG_get0_s(signature), 32);
  ECDSA_SIG_free(signature);
  return raw;
}

void Add(std::string& json, const char* name, const std::string& value) {
  if (value.empty()) return;
  json += (json.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + value;
}

}  // namespace

TokenKey TokenKey::Rsa(std::string key_id, unsigned int bits) { return {std::move(key_id), EVP_RSA_gen(bits)}; }
TokenKey TokenKey::P256(std::string key_id) { return {std::move(key_id), EVP_EC_gen("P-256")}; }

bool TokenKey::is_rsa() const { return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA; }

std::string TokenKey::Number(const char* name, std::size_t size) const {
  BIGNUM* number = nullptr;
  Require(EVP_PKEY_get_bn_param(key_.get(), name, &number) == 1);
  const std::string bytes = BytesOf(number, size);
  BN_free(number);
  return crypto::EncodeBase64Url(bytes);
}

std::string TokenKey::jwk() const {
  const std::string head = "{\"use\":\"sig\",\"kid\":\"" + key_id_ + "\",";
  if (is_rsa()) {
    return head + R"("kty":"RSA","alg":"RS256","n":")" + Number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
           Number(OSSL_PKEY_PARAM_RSA_E, 0) + "\"}";
  }
  return head + R"("kty":"EC","crv":"P-256","alg":"ES256","x":")" + Number(OSSL_PKEY_PARAM_EC_PUB_X, 32) +
         R"(","y":")" + Number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + "\"}";
}

std::string TokenKey::public_pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> memory(BIO_new(BIO_s_mem()), BIO_free_all);
  Require(PEM_write_bio_PUBKEY(memory.get(), key_.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string TokenKey::Sign(std::string_view header, std::string_view claims) const {
  const std::string message = crypto::EncodeBase64Url(header) + "." + crypto::EncodeBase64Url(claims);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Require(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  Require(EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) == 1);
  std::string signature(size, '\0');
  Require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                         message.size()) == 1);
  signature.resize(size);
  return message + "." + crypto::EncodeBase64Url(is_rsa() ? signature : RawOf(signature));
}

std::string TokenKey::Sign(std::string_view claims) const {
  return Sign("{\"alg\":\"" + std::string(is_rsa() ? "RS256" : "ES256") + "\",\"kid\":\"" + key_id_ + "\"}", claims);
}

TestClaims::TestClaims(absl::Time now)
    : exp(std::to_string(absl::ToUnixSeconds(now + absl::Hours(1)))),
      nbf(std::to_string(absl::ToUnixSeconds(now))),
      iat(std::to_string(absl::ToUnixSeconds(now))) {}

std::string TestClaims::ToJson() const {
  std::string json = "{";
  Add(json, "iss", iss);
  Add(json, "aud", aud);
  Add(json, "sub", sub);
  Add(json, "exp", exp);
  Add(json, "nbf", nbf);
  Add(json, "iat", iat);
  Add(json, "kubernetes.io", kubernetes);
  return json + more + "}";
}

}  // namespace lmbroker
