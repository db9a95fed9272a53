#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/time/time.h>
#include <openssl/evp.h>

namespace lmbroker {

// A key of an issuer of tokens, made at run time, and what it publishes and signs.
class TokenKey {
 public:
  static TokenKey Rsa(std::string key_id, unsigned int bits = 2048);
  static TokenKey P256(std::string key_id);

  // Its JSON Web Key.
  std::string jwk() const;
  // `{"keys": […]}` of itself alone.
  std::string jwks() const { return "{\"keys\":[" + jwk() + "]}"; }
  const std::string& key_id() const { return key_id_; }
  // Its public key, PEM: what an attacker of HS256 would take for a secret.
  std::string public_pem() const;

  // A token with just this header and these claims, whatever they are.
  std::string Sign(std::string_view header, std::string_view claims) const;
  // A token with the header that Kubernetes writes.
  std::string Sign(std::string_view claims) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  TokenKey(std::string key_id, EVP_PKEY* key) : key_id_(std::move(key_id)), key_(key) {}

  bool is_rsa() const;
  std::string Number(const char* name, std::size_t size) const;

  std::string key_id_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

// The claims that a Kubernetes API server writes into a token. A value of JSON replaces one; "" leaves it out.
struct TestClaims {
  std::string iss = "\"https://kubernetes.default.svc\"";
  std::string aud = "[\"lmbroker\"]";
  std::string sub = "\"system:serviceaccount:inventory:app\"";
  std::string exp;
  std::string nbf;
  std::string iat;
  std::string kubernetes =
      R"({"namespace":"inventory","serviceaccount":{"name":"app","uid":"u-1"},"pod":{"name":"app-0","uid":"p-1"}})";
  std::string more;  // further members, each with a comma before it

  // Valid from `now` for an hour.
  explicit TestClaims(absl::Time now);
  std::string ToJson() const;
};

}  // namespace lmbroker
