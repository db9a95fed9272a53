#include "service/app/tls_files.h"

#include <string_view>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/crypto/openssl_ptr.h"

namespace lmbroker::app {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;

using Bio = crypto::OpensslPtr<BIO, BIO_free>;
using Certificate = crypto::OpensslPtr<X509, X509_free>;
using PrivateKey = crypto::OpensslPtr<EVP_PKEY, EVP_PKEY_free>;

Bio BioOf(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

absl::StatusOr<Certificate> FirstCertificate(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostBytes));
  const Bio bio = BioOf(text);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return absl::FailedPreconditionError(fmt::format("{} has no certificate in PEM", path));
  return certificate;
}

// A key with a passphrase cannot be used: nobody is there to type it.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<PrivateKey> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const Secret text, ReadSecretFile(path, kMostBytes));
  const Bio bio = BioOf(text.Reveal());
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::FailedPreconditionError(fmt::format("{} has no private key in PEM without a passphrase", path));
  }
  return key;
}

}  // namespace

absl::Status CheckCertificates(const std::string& path) { return FirstCertificate(path).status(); }

absl::Status CheckKeyPair(const std::string& certificate, const std::string& key) {
  ASSIGN_OR_RETURN(const Certificate first, FirstCertificate(certificate));
  ASSIGN_OR_RETURN(const PrivateKey private_key, ReadKey(key));
  const bool match = X509_check_private_key(first.get(), private_key.get()) == 1;
  ERR_clear_error();
  if (match) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("{} is not the key of the certificate in {}", key, certificate));
}

}  // namespace lmbroker::app
