#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace lmbroker {

// A certificate, its issuers up to but without the root, and its private key, as PEM.
struct TestCertificate {
  std::string certificate;  // leaf first
  std::string key;

  // Writes NAME.crt and NAME.key into `directory`.
  void WriteTo(const std::string& directory, const std::string& name) const;
};

// What a certificate shall say. Values are taken as they are, so that a test can write hostile ones.
struct CertificateSpec {
  std::string common_name = "test";
  std::vector<std::string> dns;  // subject alternative names
  std::vector<std::string> uris;
  std::vector<std::string> ips;  // in text form
  absl::Time not_before = absl::Now() - absl::Hours(1);
  absl::Time not_after = absl::Now() + absl::Hours(24);
};

// A certificate authority made at run time (P-256). Leaves are good for servers and for clients.
class TestCa {
 public:
  TestCa() : TestCa("Test CA") {}
  explicit TestCa(const std::string& name);

  // The root's certificate, as PEM: what a peer has to trust.
  const std::string& root() const { return root_; }

  TestCertificate Issue(const CertificateSpec& spec) const;
  TestCertificate IssueServer(const std::string& dns_name) const { return Issue({.dns = {dns_name}}); }
  TestCertificate IssueClient(const std::string& spiffe_uri) const { return Issue({.uris = {spiffe_uri}}); }
  // An authority below this one; certificates from it bring its own certificate along.
  TestCa IssueAuthority(const std::string& name) const;
  // Its own certificate alone, as PEM.
  std::string certificate() const;

 private:
  struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct FreeCertificate {
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
  using Certificate = std::unique_ptr<X509, FreeCertificate>;

  TestCa(Key key, Certificate certificate) : key_(std::move(key)), certificate_(std::move(certificate)) {}
  // `issuer` and `issuer_key` null: signed by itself.
  static Certificate Sign(const CertificateSpec& spec, bool is_authority, EVP_PKEY* key, X509* issuer,
                          EVP_PKEY* issuer_key);

  Key key_;
  Certificate certificate_;
  std::string root_;
  std::string chain_;  // PEM of the authorities from this one up to below the root
};

}  // namespace lmbroker
