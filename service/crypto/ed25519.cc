#include "service/crypto/ed25519.h"

#include <span>
#include <utility>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "service/crypto/digest.h"
#include "service/crypto/openssl_ptr.h"

namespace lmbroker::crypto {
namespace {

using Key = OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using Context = OpensslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using Bio = OpensslPtr<BIO, BIO_free>;

constexpr std::size_t kPublicBytes = 32;

const unsigned char* Data(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* Data(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// OpenSSL keeps the private half in its secure heap, and wipes it with the key.
Key PrivateKey(const Secret& seed) {
  CheckOpenssl(seed.size() == kEd25519SeedBytes, "Ed25519 with a seed of another size");
  Key key(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, Data(seed.Reveal()), seed.size()));
  CheckOpenssl(key != nullptr, "EVP_PKEY_new_raw_private_key_ex(ED25519)");
  return key;
}

std::string PublicBytes(const EVP_PKEY* key) {
  std::string bytes(kPublicBytes, '\0');
  std::size_t size = bytes.size();
  CheckOpenssl(EVP_PKEY_get_raw_public_key(key, Data(bytes), &size) == 1 && size == kPublicBytes,
               "EVP_PKEY_get_raw_public_key");
  return bytes;
}

Key PublicKey(std::string_view bytes) {
  Key key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, Data(bytes), bytes.size()));
  CheckOpenssl(key != nullptr, "EVP_PKEY_new_raw_public_key_ex(ED25519)");
  return key;
}

}  // namespace

Secret NewEd25519Seed(Random& random) {
  Secret seed = Secret::WithSize(kEd25519SeedBytes);
  random.Fill(std::as_writable_bytes(std::span(seed.data(), seed.size())));
  return seed;
}

std::string Ed25519Sign(const Secret& seed, std::string_view message) {
  const Key key = PrivateKey(seed);
  const Context context(EVP_MD_CTX_new());
  std::string signature(kEd25519SignatureBytes, '\0');
  std::size_t size = signature.size();
  CheckOpenssl(context != nullptr &&
                   EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) == 1 &&
                   EVP_DigestSign(context.get(), Data(signature), &size, Data(message), message.size()) == 1 &&
                   size == kEd25519SignatureBytes,
               "an Ed25519 signature");
  return signature;
}

Ed25519PublicKey::Ed25519PublicKey(std::string bytes) : bytes_(std::move(bytes)), fingerprint_(Sha256Hex(bytes_)) {}

Ed25519PublicKey Ed25519PublicKey::Of(const Secret& seed) {
  return Ed25519PublicKey(PublicBytes(PrivateKey(seed).get()));
}

absl::StatusOr<Ed25519PublicKey> Ed25519PublicKey::FromPem(std::string_view pem) {
  const std::string text(pem);  // OpenSSL takes no null pointer for an empty one
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CheckOpenssl(bio != nullptr, "BIO_new_mem_buf");
  const Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  TakeOpensslErrors();
  if (key == nullptr || EVP_PKEY_is_a(key.get(), "ED25519") != 1) {
    return absl::InvalidArgumentError("is no Ed25519 public key in PEM");
  }
  return Ed25519PublicKey(PublicBytes(key.get()));
}

std::string Ed25519PublicKey::Pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  CheckOpenssl(bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), PublicKey(bytes_).get()) == 1, "a public key as PEM");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

bool Ed25519PublicKey::Verify(std::string_view message, std::string_view signature) const {
  const Key key = PublicKey(bytes_);
  const Context context(EVP_MD_CTX_new());
  CheckOpenssl(context != nullptr &&
                   EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) == 1,
               "EVP_DigestVerifyInit_ex(ED25519)");
  const bool good =
      EVP_DigestVerify(context.get(), Data(signature), signature.size(), Data(message), message.size()) == 1;
  TakeOpensslErrors();
  return good;
}

}  // namespace lmbroker::crypto
