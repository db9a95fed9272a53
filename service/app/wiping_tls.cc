// OpenSSL keeps what it decrypted in its own buffers until the next record comes, or for ever in freed memory, unless a
// TLS context says otherwise; and libcurl lets nobody say so before it has begun. It makes its contexts with
// SSL_CTX_new, whose place this takes in the program: as OpenSSL's own does, and with that option set.

#include <openssl/ssl.h>

extern "C" SSL_CTX* SSL_CTX_new(const SSL_METHOD* method) {
  SSL_CTX* const context = SSL_CTX_new_ex(nullptr, nullptr, method);
  if (context != nullptr) SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
  return context;
}
