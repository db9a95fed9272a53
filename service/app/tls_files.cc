#include "service/app/tls_files.h"

#include <cstddef>
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
using Certificates = std::vector<identity::Certificate>;

absl::StatusOr<Certificates> ReadAll(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostBytes));
  auto certificates = identity::ReadCertificates(text);
  if (certificates.ok()) return certificates;
  return absl::FailedPreconditionError(fmt::format("{} {}", path, ToStd(certificates.status().message())));
}

// A key with a passphrase cannot be used: nobody is there to type it.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<h2::PrivateKey> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const Secret text, ReadSecretFile(path, kMostBytes));
  const Bio bio(BIO_new_mem_buf(text.Reveal().data(), static_cast<int>(text.size())));
  h2::PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::FailedPreconditionError(fmt::format("{} has no private key in PEM without a passphrase", path));
  }
  return key;
}

}  // namespace

absl::StatusOr<std::string> ReadCertificateFile(const std::string& path) {
  ASSIGN_OR_RETURN(const Certificates certificates, ReadAll(path));
  return identity::ToPem(certificates);
}

absl::StatusOr<h2::ServerIdentity> ReadKeyPair(const std::string& certificate, const std::string& key) {
  h2::ServerIdentity identity;
  ASSIGN_OR_RETURN(identity.chain, ReadAll(certificate));
  ASSIGN_OR_RETURN(identity.key, ReadKey(key));
  const bool match = X509_check_private_key(identity.chain.front().get(), identity.key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return absl::FailedPreconditionError(fmt::format("{} is not the key of the certificate in {}", key, certificate));
  }
  if (!h2::MakeServerContext(identity, {}, /*require_certificates=*/false).ok()) {
    return absl::FailedPreconditionError(
        fmt::format("{} and {} are no pair that OpenSSL serves with; see whether they are too weak", certificate, key));
  }
  return identity;
}

absl::Status CheckCertificates(const std::string& path) { return ReadCertificateFile(path).status(); }

absl::Status CheckKeyPair(const std::string& certificate, const std::string& key) {
  return ReadKeyPair(certificate, key).status();
}

}  // namespace lmbroker::app
