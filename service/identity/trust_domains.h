#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <openssl/types.h>

namespace lmbroker::identity {

// Which authorities vouch for whom (`identity.spiffe`): those of a trust domain for its SPIFFE IDs and nothing else,
// those of `listen.tls.client_ca` for all other names. gRPC lets in whom any of them vouches for; this tells them
// apart. Safe for concurrent use.
class TrustDomains {
 public:
  // PEM texts with at least one certificate each; `domains` by the names of trust domains. INVALID_ARGUMENT names the
  // one that cannot be read.
  static absl::StatusOr<std::shared_ptr<const TrustDomains>> Make(const std::string& client_ca,
                                                                  const std::map<std::string, std::string>& domains);

  // Whether the certificate's chain leads to the authorities for `identity`, one that the certificate proves. `leaf`
  // and `chain` (its intermediates, perhaps the leaf again; may be empty) are PEM. Gives the time until which it does;
  // NO_IDENTITY when it does not.
  absl::StatusOr<absl::Time> Verify(std::string_view leaf, std::string_view chain, std::string_view identity,
                                    absl::Time now) const;

 private:
  struct FreeStore {
    void operator()(X509_STORE* store) const;
  };
  using Store = std::unique_ptr<X509_STORE, FreeStore>;

  static absl::StatusOr<Store> MakeStore(const std::string& name, const std::string& authorities);
  // Null when the identity's trust domain is none of ours.
  X509_STORE* StoreFor(std::string_view identity) const;

  Store others_;
  std::map<std::string, Store, std::less<>> domains_;
};

}  // namespace lmbroker::identity
