#include "service/crypto/aead.h"

#include <span>
#include <utility>

#include <openssl/evp.h>

#include "service/crypto/openssl_ptr.h"

namespace lmbroker::crypto {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
static_assert(Aead::kOverhead == kNonceBytes + kTagBytes);

using Cipher = OpensslPtr<EVP_CIPHER, EVP_CIPHER_free>;
// Freeing one wipes the key schedule in it.
using Context = OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

const unsigned char* Data(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* Data(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
int Size(std::string_view bytes) { return static_cast<int>(bytes.size()); }

Context NewContext() {
  Context context(EVP_CIPHER_CTX_new());
  CheckOpenssl(context != nullptr, "EVP_CIPHER_CTX_new");
  return context;
}

const EVP_CIPHER* Aes256Gcm() {
  static const Cipher cipher(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  CheckOpenssl(cipher != nullptr, "EVP_CIPHER_fetch(AES-256-GCM)");
  return cipher.get();
}

// Whether `sealed` is authentic; then its plaintext is in `out`, which has room for it. Else `out` has no meaning.
bool OpenInto(const Secret& key, std::string_view sealed, std::string_view associated, char* out) {
  const std::string_view nonce = sealed.substr(0, kNonceBytes);
  const std::string_view text = sealed.substr(kNonceBytes, sealed.size() - Aead::kOverhead);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const Context context = NewContext();
  int written = 0;
  unsigned char nothing = 0;
  CheckOpenssl(EVP_DecryptInit_ex2(context.get(), Aes256Gcm(), Data(key.Reveal()), Data(nonce), nullptr) == 1 &&
                   EVP_DecryptUpdate(context.get(), nullptr, &written, Data(associated), Size(associated)) == 1 &&
                   EVP_DecryptUpdate(context.get(), Data(out), &written, Data(text), Size(text)) == 1 &&
                   EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1,
               "AES-256-GCM decryption");
  return EVP_DecryptFinal_ex(context.get(), &nothing, &written) == 1;
}

bool HasSealedSize(std::string_view sealed) {
  return sealed.size() >= Aead::kOverhead && sealed.size() - Aead::kOverhead <= Aead::kMostBytes;
}

}  // namespace

Aead::Aead(Secret key, Random& random) : key_(std::move(key)), random_(&random) {
  CheckOpenssl(key_.size() == kKeyBytes, "AES-256-GCM with a key of another size");
}

Secret Aead::NewKey(Random& random) {
  Secret key = Secret::WithSize(kKeyBytes);
  random.Fill(std::as_writable_bytes(std::span(key.data(), key.size())));
  return key;
}

std::string Aead::Seal(std::string_view plaintext, std::string_view associated) const {
  CheckOpenssl(plaintext.size() <= kMostBytes, "AES-256-GCM of a longer text");
  std::string sealed(kNonceBytes + plaintext.size() + kTagBytes, '\0');
  char* const text = sealed.data() + kNonceBytes;
  char* const tag = text + plaintext.size();
  random_->Fill(std::as_writable_bytes(std::span(sealed.data(), kNonceBytes)));
  const Context context = NewContext();
  int written = 0;
  CheckOpenssl(
      EVP_EncryptInit_ex2(context.get(), Aes256Gcm(), Data(key_.Reveal()), Data(sealed.data()), nullptr) == 1 &&
          EVP_EncryptUpdate(context.get(), nullptr, &written, Data(associated), Size(associated)) == 1 &&
          EVP_EncryptUpdate(context.get(), Data(text), &written, Data(plaintext), Size(plaintext)) == 1 &&
          EVP_EncryptFinal_ex(context.get(), Data(tag), &written) == 1 &&
          EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1,
      "AES-256-GCM encryption");
  return sealed;
}

std::optional<Secret> Aead::Open(std::string_view sealed, std::string_view associated) const {
  if (!HasSealedSize(sealed)) return std::nullopt;
  Secret plaintext = Secret::WithSize(sealed.size() - kOverhead);
  if (!OpenInto(key_, sealed, associated, plaintext.data())) return std::nullopt;
  return plaintext;
}

std::optional<std::string> Aead::OpenText(std::string_view sealed, std::string_view associated) const {
  if (!HasSealedSize(sealed)) return std::nullopt;
  std::string plaintext(sealed.size() - kOverhead, '\0');
  if (!OpenInto(key_, sealed, associated, plaintext.data())) return std::nullopt;
  return plaintext;
}

}  // namespace lmbroker::crypto
