#include "service/h2/server_tls.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509.h>

namespace lmbroker::h2 {
namespace {

// RFC 7301's form of a list of protocols.
constexpr std::string_view kOnlyHttp2 = "\x02h2";
// With forward secrecy and AEAD, as RFC 9113, section 9.2.2, wants of TLS 1.2. Those of TLS 1.3 are all so.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

// Bytes of a client's certificate with its intermediates, which are kept as long as the connection: a dozen good ones.
constexpr long kMostCertificates = 32 << 10;

int SelectHttp2(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                unsigned int offered_size, void*) {
  const auto* const wanted = reinterpret_cast<const unsigned char*>(kOnlyHttp2.data());
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, wanted, static_cast<unsigned int>(kOnlyHttp2.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

bool UseIdentity(SSL_CTX* context, const ServerIdentity& identity) {
  if (identity.chain.empty() || SSL_CTX_use_certificate(context, identity.chain.front().get()) != 1) return false;
  const bool chained =
      std::all_of(identity.chain.begin() + 1, identity.chain.end(),
                  [context](const Certificate& each) { return SSL_CTX_add1_chain_cert(context, each.get()) == 1; });
  return chained && SSL_CTX_use_PrivateKey(context, identity.key.get()) == 1 && SSL_CTX_check_private_key(context) == 1;
}

// Their names are told to clients, which choose a certificate by them.
void UseAuthorities(SSL_CTX* context, const std::vector<Certificate>& authorities) {
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const Certificate& each : authorities) {
    crypto::CheckOpenssl(X509_STORE_add_cert(store, each.get()) == 1 && SSL_CTX_add_client_CA(context, each.get()) == 1,
                         "X509_STORE_add_cert");
  }
}

}  // namespace

absl::StatusOr<TlsContext> MakeServerContext(const ServerIdentity& identity,
                                             const std::vector<Certificate>& authorities, bool require_certificates) {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  crypto::CheckOpenssl(context != nullptr, "SSL_CTX_new");
  SSL_CTX* const tls = context.get();
  crypto::CheckOpenssl(SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
                           SSL_CTX_set_cipher_list(tls, kCiphers) == 1 && SSL_CTX_set_num_tickets(tls, 0) == 1,
                       "SSL_CTX_set_min_proto_version");
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  // Not SSL_MODE_RELEASE_BUFFERS: wiping and freeing them after each record costs microseconds (TlsSocket::Rest).
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // As much as there is with each read.
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_alpn_select_cb(tls, SelectHttp2, nullptr);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | (require_certificates ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_max_cert_list(tls, kMostCertificates);
  UseAuthorities(tls, authorities);
  const bool serves = UseIdentity(tls, identity);
  ERR_clear_error();
  if (!serves) return absl::FailedPreconditionError("OpenSSL does not serve with this certificate and key");
  return context;
}

}  // namespace lmbroker::h2
