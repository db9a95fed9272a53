#include "service/identity/pem.h"

#include <cstddef>
#include <utility>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace lmbroker::identity {
namespace {

using Bio = crypto::OpensslPtr<BIO, BIO_free>;
using Number = crypto::OpensslPtr<BIGNUM, BN_free>;

// Certificates that nobody can encrypt: there is no passphrase to ask for.
int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

absl::StatusOr<std::vector<Certificate>> ReadCertificates(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  crypto::CheckOpenssl(bio != nullptr, "BIO_new_mem_buf");
  ERR_clear_error();
  std::vector<Certificate> certificates;
  while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return absl::InvalidArgumentError("has a certificate that cannot be read");
  if (certificates.empty()) return absl::InvalidArgumentError("has no certificate in PEM");
  return certificates;
}

std::string ToPem(const std::vector<Certificate>& certificates) {
  const Bio bio(BIO_new(BIO_s_mem()));
  crypto::CheckOpenssl(bio != nullptr, "BIO_new");
  for (const Certificate& each : certificates) {
    crypto::CheckOpenssl(PEM_write_bio_X509(bio.get(), each.get()) == 1, "PEM_write_bio_X509");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string SerialOf(const X509& certificate) {
  const Number number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  crypto::CheckOpenssl(number != nullptr, "ASN1_INTEGER_to_BN");
  char* const hex = BN_bn2hex(number.get());
  crypto::CheckOpenssl(hex != nullptr, "BN_bn2hex");
  std::string serial(hex);
  OPENSSL_free(hex);
  const std::size_t first = serial.find_first_not_of('0');
  return first == std::string::npos ? "0" : serial.substr(first);
}

}  // namespace lmbroker::identity
