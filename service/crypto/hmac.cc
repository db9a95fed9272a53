#include "service/crypto/hmac.h"

#include <cstddef>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "service/crypto/openssl_ptr.h"

namespace lmbroker::crypto {
namespace {

using Algorithm = OpensslPtr<EVP_MAC, EVP_MAC_free>;
using Context = OpensslPtr<EVP_MAC_CTX, EVP_MAC_CTX_free>;

const unsigned char* Data(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// A null key would mean "the key as before" to OpenSSL, so an empty one must still point somewhere.
bool SetKey(EVP_MAC_CTX* context, std::string_view key) {
  return EVP_MAC_init(context, Data(key.empty() ? "" : key), key.size(), nullptr) == 1;
}

Context NewContext() {
  static const Algorithm algorithm(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  CheckOpenssl(algorithm != nullptr, "EVP_MAC_fetch(HMAC)");
  Context context(EVP_MAC_CTX_new(algorithm.get()));
  CheckOpenssl(context != nullptr, "EVP_MAC_CTX_new");
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  CheckOpenssl(EVP_MAC_CTX_set_params(context.get(), parameters) == 1, "EVP_MAC_CTX_set_params(SHA256)");
  return context;
}

}  // namespace

Digest HmacSha256(const Secret& key, std::initializer_list<std::string_view> pieces) {
  // One context for each thread: keying it again takes half the time of a new one.
  thread_local const Context context = NewContext();
  bool ok = SetKey(context.get(), key.Reveal());
  for (const std::string_view piece : pieces) {
    ok = ok && EVP_MAC_update(context.get(), Data(piece), piece.size()) == 1;
  }
  Digest digest;
  std::size_t size = 0;
  auto* out = reinterpret_cast<unsigned char*>(digest.data());
  ok = ok && EVP_MAC_final(context.get(), out, &size, digest.size()) == 1 && size == digest.size();
  ok = SetKey(context.get(), {}) && ok;  // nothing of the key stays behind in the context
  CheckOpenssl(ok, "HMAC-SHA256");
  return digest;
}

}  // namespace lmbroker::crypto
