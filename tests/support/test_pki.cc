#include "tests/support/test_pki.h"

#include <cstdlib>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tests/support/temp_dir.h"

namespace lmbroker {
namespace {

// A test without its certificates cannot go on.
void Require(bool good) {
  if (!good) std::abort();
}

template <class Write>
std::string ToPem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> memory(BIO_new(BIO_s_mem()), BIO_free_all);
  Require(write(memory.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string ToPem(X509* certificate) {
  return ToPem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

std::string ToPem(EVP_PKEY* key) {
  return ToPem([&](BIO* out) { return PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

void AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  Require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void AddText(GENERAL_NAMES* names, int type, const std::string& value) {
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  Require(ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) == 1);
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, text);
  sk_GENERAL_NAME_push(names, name);
}

void AddAlternativeNames(X509* certificate, const CertificateSpec& spec) {
  if (spec.dns.empty() && spec.uris.empty() && spec.ips.empty()) return;
  GENERAL_NAMES* names = GENERAL_NAMES_new();
  for (const std::string& dns : spec.dns) AddText(names, GEN_DNS, dns);
  for (const std::string& uri : spec.uris) AddText(names, GEN_URI, uri);
  for (const std::string& ip : spec.ips) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_IPADD, a2i_IPADDRESS(ip.c_str()));
    sk_GENERAL_NAME_push(names, name);
  }
  Require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
  GENERAL_NAMES_free(names);
}

}  // namespace

void TestCertificate::WriteTo(const std::string& directory, const std::string& name) const {
  WriteFile(directory + "/" + name + ".crt", certificate);
  WriteFile(directory + "/" + name + ".key", key);
}

TestCa::TestCa(const std::string& name)
    : key_(EVP_EC_gen("P-256")), certificate_(Sign({.common_name = name}, true, key_.get(), nullptr, nullptr)) {
  root_ = certificate();
}

std::string TestCa::certificate() const { return ToPem(certificate_.get()); }

TestCertificate TestCa::Issue(const CertificateSpec& spec) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = Sign(spec, false, key.get(), certificate_.get(), key_.get());
  return {.certificate = ToPem(certificate.get()) + chain_, .key = ToPem(key.get())};
}

TestCa TestCa::IssueAuthority(const std::string& name) const {
  Key key(EVP_EC_gen("P-256"));
  Certificate signed_by_us = Sign({.common_name = name}, true, key.get(), certificate_.get(), key_.get());
  TestCa below(std::move(key), std::move(signed_by_us));
  below.root_ = root_;
  below.chain_ = below.certificate() + chain_;
  return below;
}

TestCa::Certificate TestCa::Sign(const CertificateSpec& spec, bool is_authority, EVP_PKEY* key, X509* issuer,
                                 EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new());
  X509* const x509 = certificate.get();
  X509_set_version(x509, X509_VERSION_3);
  unsigned char serial[8];
  Require(RAND_bytes(serial, sizeof serial) == 1);
  serial[0] &= 0x7F;
  BIGNUM* const number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
  BN_free(number);
  ASN1_TIME_set(X509_getm_notBefore(x509), absl::ToTimeT(spec.not_before));
  ASN1_TIME_set(X509_getm_notAfter(x509), absl::ToTimeT(spec.not_after));
  X509_set_pubkey(x509, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.data()),
                             static_cast<int>(spec.common_name.size()), -1, 0);
  X509* const signer = issuer == nullptr ? x509 : issuer;
  X509_set_issuer_name(x509, X509_get_subject_name(signer));
  AddExtension(x509, signer, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  AddExtension(x509, signer, NID_subject_key_identifier, "hash");
  if (is_authority) {
    AddExtension(x509, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    AddExtension(x509, signer, NID_key_usage, "critical,digitalSignature");
    AddExtension(x509, signer, NID_ext_key_usage, "serverAuth,clientAuth");
  }
  AddAlternativeNames(x509, spec);
  Require(X509_sign(x509, issuer_key == nullptr ? key : issuer_key, EVP_sha256()) > 0);
  return certificate;
}

}  // namespace lmbroker
