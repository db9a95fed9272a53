#include "service/identity/trust_domains.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/identity/pem.h"

namespace lmbroker::identity {
namespace {

using Context = crypto::OpensslPtr<X509_STORE_CTX, X509_STORE_CTX_free>;

constexpr std::string_view kScheme = "spiffe://";

struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }  // not what is in it
};

absl::Status NotVouchedFor(std::string_view why) {
  return Refuse(Reason::kNoIdentity,
                fmt::format("The client certificate is not one for its name here: {}; present one from the authority "
                            "of its own trust domain.",
                            why));
}

absl::Time EndOf(const X509* certificate) {
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return absl::InfinitePast();
  return absl::FromTM(end, absl::UTCTimeZone());
}

// When the first certificate of a chain that was found good ends.
absl::Time EndOf(STACK_OF(X509) * chain) {
  absl::Time end = absl::InfiniteFuture();
  for (int i = 0; i < sk_X509_num(chain); ++i) end = std::min(end, EndOf(sk_X509_value(chain, i)));
  return end;
}

}  // namespace

void TrustDomains::FreeStore::operator()(X509_STORE* store) const { X509_STORE_free(store); }

absl::StatusOr<TrustDomains::Store> TrustDomains::MakeStore(const std::string& name, const std::string& authorities) {
  const auto certificates = ReadCertificates(authorities);
  if (!certificates.ok()) {
    return absl::InvalidArgumentError(fmt::format("{} {}", name, ToStd(certificates.status().message())));
  }
  Store store(X509_STORE_new());
  crypto::CheckOpenssl(store != nullptr, "X509_STORE_new");
  for (const Certificate& each : *certificates) {
    crypto::CheckOpenssl(X509_STORE_add_cert(store.get(), each.get()) == 1, "X509_STORE_add_cert");
  }
  // What is in the file is trusted, be it the last in its chain or not.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  return store;
}

absl::StatusOr<std::shared_ptr<const TrustDomains>> TrustDomains::Make(
    const std::string& client_ca, const std::map<std::string, std::string>& domains) {
  auto trust = std::make_shared<TrustDomains>();
  ASSIGN_OR_RETURN(trust->others_, MakeStore("client_ca", client_ca));
  for (const auto& [domain, authorities] : domains) {
    ASSIGN_OR_RETURN(Store store, MakeStore(domain, authorities));
    trust->domains_.emplace(domain, std::move(store));
  }
  return trust;
}

X509_STORE* TrustDomains::StoreFor(std::string_view identity) const {
  if (!identity.starts_with(kScheme)) return others_.get();
  const std::string_view rest = identity.substr(kScheme.size());
  const auto found = domains_.find(rest.substr(0, rest.find('/')));
  return found == domains_.end() ? nullptr : found->second.get();
}

absl::StatusOr<absl::Time> TrustDomains::Verify(std::string_view leaf, std::string_view chain,
                                                std::string_view identity, absl::Time now) const {
  X509_STORE* const store = StoreFor(identity);
  if (store == nullptr) return NotVouchedFor("the broker knows no authority of its trust domain");
  const auto own = ReadCertificates(leaf);
  if (!own.ok()) return NotVouchedFor("it cannot be read");
  const auto others =
      chain.empty() ? absl::StatusOr<std::vector<Certificate>>(std::vector<Certificate>()) : ReadCertificates(chain);
  if (!others.ok()) return NotVouchedFor("its chain cannot be read");
  const std::unique_ptr<STACK_OF(X509), FreeStack> untrusted(sk_X509_new_null());
  for (const Certificate& each : *others) sk_X509_push(untrusted.get(), each.get());
  const Context context(X509_STORE_CTX_new());
  crypto::CheckOpenssl(context != nullptr && untrusted != nullptr &&
                           X509_STORE_CTX_init(context.get(), store, own->front().get(), untrusted.get()) == 1 &&
                           X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT) == 1,
                       "X509_STORE_CTX_init");
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), absl::ToTimeT(now));
  const bool good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (!good) return NotVouchedFor("the authorities for it do not vouch for the certificate");
  return EndOf(X509_STORE_CTX_get0_chain(context.get()));
}

}  // namespace lmbroker::identity
