#include "service/crypto/digest.h"

#include <openssl/evp.h>

#include "service/crypto/encoding.h"
#include "service/crypto/openssl_ptr.h"

namespace lmbroker::crypto {
namespace {

using Algorithm = OpensslPtr<EVP_MD, EVP_MD_free>;
using Context = OpensslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;

// Fetched once: a look-up by name at each call costs more than hashing a small message.
const EVP_MD* Algorithm256() {
  static const Algorithm algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  CheckOpenssl(algorithm != nullptr, "EVP_MD_fetch(SHA256)");
  return algorithm.get();
}

}  // namespace

Digest Sha256(std::string_view bytes) {
  thread_local const Context context(EVP_MD_CTX_new());
  CheckOpenssl(context != nullptr, "EVP_MD_CTX_new");
  Digest digest;
  CheckOpenssl(EVP_DigestInit_ex2(context.get(), Algorithm256(), nullptr) == 1 &&
                   EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                   EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1,
               "SHA-256");
  return digest;
}

struct Sha256Stream::State {
  State() : context(EVP_MD_CTX_new()) { CheckOpenssl(context != nullptr, "EVP_MD_CTX_new"); }
  void Begin() const { CheckOpenssl(EVP_DigestInit_ex2(context.get(), Algorithm256(), nullptr) == 1, "SHA-256"); }
  void CopyFrom(const State& other) const {
    CheckOpenssl(EVP_MD_CTX_copy_ex(context.get(), other.context.get()) == 1, "EVP_MD_CTX_copy_ex");
  }

  const Context context;
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) { state_->Begin(); }
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(const Sha256Stream& other) : state_(std::make_unique<State>()) {
  state_->CopyFrom(*other.state_);
}
Sha256Stream& Sha256Stream::operator=(const Sha256Stream& other) {
  if (this != &other) state_->CopyFrom(*other.state_);
  return *this;
}

void Sha256Stream::Add(std::string_view bytes) {
  CheckOpenssl(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1, "EVP_DigestUpdate");
}

Digest Sha256Stream::Take() {
  Digest digest;
  auto* out = reinterpret_cast<unsigned char*>(digest.data());
  CheckOpenssl(EVP_DigestFinal_ex(state_->context.get(), out, nullptr) == 1, "EVP_DigestFinal_ex");
  state_->Begin();
  return digest;
}

std::string Sha256Hex(std::string_view bytes) { return EncodeHex(Bytes(Sha256(bytes))); }

}  // namespace lmbroker::crypto
