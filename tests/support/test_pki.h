#pragma once

// Certificates made at test time: real files, real chains, nothing to expire in the repository.

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace lmbroker {

// An authority of the test's own, and the certificates that it signs, as PEM files in one directory. Aborts the test
// program when OpenSSL or the disk fails.
class TestPki {
 public:
  struct Files {
    std::string cert;  // path of the certificate
    std::string key;   // path of its private key, mode 0600
  };

  // Makes NAME.crt and NAME.key of an authority in `directory`, which must outlive this object's files.
  explicit TestPki(std::string directory, const std::string& name = "ca") : directory_(std::move(directory)) {
    ca_ = Make(name, {.common_name = name, .constraints = "critical,CA:TRUE"}, nullptr, nullptr);
  }

  // What a certificate says.
  struct Subject {
    std::string common_name;
    std::string alt_names;  // as in OpenSSL's configuration: "DNS:localhost,IP:127.0.0.1", "URI:spiffe://…"
    std::string constraints = "critical,CA:FALSE";
    long seconds_valid = 3600;  // from an hour ago; negative makes it expired
  };

  // Makes NAME.crt and NAME.key, signed by the authority.
  Files Issue(const std::string& name, Subject subject) {
    return Make(name, std::move(subject), ca_certificate_.get(), ca_key_.get());
  }

  // Path of the authority's certificate.
  const std::string& ca() const { return ca_.cert; }

 private:
  struct Free {
    void operator()(X509* p) const { X509_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
    void operator()(std::FILE* p) const { std::fclose(p); }
    void operator()(BIGNUM* p) const { BN_free(p); }
  };
  template <class T>
  using Ptr = std::unique_ptr<T, Free>;

  static void Check(bool ok) {
    if (!ok) std::abort();
  }

  static void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    if (value.empty()) return;
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Ptr<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
    Check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
  }

  // Self-signed, and the authority from then on, when there is no issuer.
  Files Make(const std::string& name, const Subject& subject, X509* issuer, EVP_PKEY* issuer_key) {
    Ptr<EVP_PKEY> key(EVP_EC_gen("P-256"));
    Ptr<X509> certificate(X509_new());
    Check(key != nullptr && certificate != nullptr);
    X509_set_version(certificate.get(), X509_VERSION_3);
    const Ptr<BIGNUM> serial(BN_new());
    BN_rand(serial.get(), 120, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get()));
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), subject.seconds_valid);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(subject.common_name.c_str()), -1, -1, 0);
    X509* const signer = issuer != nullptr ? issuer : certificate.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
    AddExtension(certificate.get(), signer, NID_basic_constraints, subject.constraints);
    AddExtension(certificate.get(), signer, NID_subject_alt_name, subject.alt_names);
    Check(X509_sign(certificate.get(), issuer_key != nullptr ? issuer_key : key.get(), EVP_sha256()) > 0);
    const Files files = Write(name, certificate.get(), key.get());
    if (issuer == nullptr) {
      ca_certificate_ = std::move(certificate);
      ca_key_ = std::move(key);
    }
    return files;
  }

  Files Write(const std::string& name, X509* certificate, EVP_PKEY* key) const {
    const Files files{.cert = directory_ + "/" + name + ".crt", .key = directory_ + "/" + name + ".key"};
    const Ptr<std::FILE> cert_file(std::fopen(files.cert.c_str(), "we"));
    Check(cert_file != nullptr && PEM_write_X509(cert_file.get(), certificate) == 1);
    const mode_t before = umask(0077);
    const Ptr<std::FILE> key_file(std::fopen(files.key.c_str(), "we"));
    umask(before);
    Check(key_file != nullptr && PEM_write_PrivateKey(key_file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return files;
  }

  std::string directory_;
  Ptr<X509> ca_certificate_;
  Ptr<EVP_PKEY> ca_key_;
  Files ca_;
};

}  // namespace lmbroker
