#include "service/app/tls_files.h"

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/openssl_ptr.h"
#include "service/identity/pem.h"

namespace lmbroker::app {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;

using Bio = crypto::OpensslPtr<BIO, BIO_free>;
using PrivateKey = crypto::OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using TlsContext = crypto::OpensslPtr<SSL_CTX, SSL_CTX_free>;
using Certificates = std::vector<identity::Certificate>;

absl::StatusOr<Certificates> ReadAll(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostBytes));
  auto certificates = identity::ReadCertificates(text);
  if (certificates.ok()) return certificates;
  return absl::FailedPreconditionError(fmt::format("{} {}", path, ToStd(certificates.status().message())));
}

// A key with a passphrase cannot be used: nobody is there to type it.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<PrivateKey> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const Secret text, ReadSecretFile(path, kMostBytes));
  const Bio bio(BIO_new_mem_buf(text.Reveal().data(), static_cast<int>(text.size())));
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::FailedPreconditionError(fmt::format("{} has no private key in PEM without a passphrase", path));
  }
  return key;
}

// Whether OpenSSL serves with them, as gRPC will ask it to.
bool CanServe(const Certificates& certificates, EVP_PKEY* key) {
  const TlsContext context(SSL_CTX_new(TLS_server_method()));
  crypto::CheckOpenssl(context != nullptr, "SSL_CTX_new");
  bool good = SSL_CTX_use_certificate(context.get(), certificates.front().get()) == 1;
  for (std::size_t i = 1; good && i < certificates.size(); ++i) {
    good = SSL_CTX_add1_chain_cert(context.get(), certificates[i].get()) == 1;
  }
  good = good && SSL_CTX_use_PrivateKey(context.get(), key) == 1 && SSL_CTX_check_private_key(context.get()) == 1;
  ERR_clear_error();
  return good;
}

// Passes through no memory but OpenSSL's locked one.
Secret ToPem(const EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_secmem()));
  crypto::CheckOpenssl(
      bio != nullptr && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
      "PEM_write_bio_PrivateKey");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return Secret(std::string_view(data, static_cast<std::size_t>(size)));
}

}  // namespace

absl::StatusOr<std::string> ReadCertificateFile(const std::string& path) {
  ASSIGN_OR_RETURN(const Certificates certificates, ReadAll(path));
  return identity::ToPem(certificates);
}

absl::StatusOr<Secret> ReadKeyPair(const std::string& certificate, const std::string& key) {
  ASSIGN_OR_RETURN(const Certificates certificates, ReadAll(certificate));
  ASSIGN_OR_RETURN(const PrivateKey private_key, ReadKey(key));
  const bool match = X509_check_private_key(certificates.front().get(), private_key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return absl::FailedPreconditionError(fmt::format("{} is not the key of the certificate in {}", key, certificate));
  }
  if (!CanServe(certificates, private_key.get())) {
    return absl::FailedPreconditionError(
        fmt::format("{} and {} are no pair that OpenSSL serves with; see whether they are too weak", certificate, key));
  }
  const std::string chain = identity::ToPem(certificates);
  const Secret key_pem = ToPem(private_key.get());
  Secret pair = Secret::WithSize(chain.size() + key_pem.size());
  std::memcpy(pair.data(), chain.data(), chain.size());
  std::memcpy(pair.data() + chain.size(), key_pem.Reveal().data(), key_pem.size());
  return pair;
}

absl::Status CheckCertificates(const std::string& path) { return ReadCertificateFile(path).status(); }

absl::Status CheckKeyPair(const std::string& certificate, const std::string& key) {
  return ReadKeyPair(certificate, key).status();
}

}  // namespace lmbroker::app
