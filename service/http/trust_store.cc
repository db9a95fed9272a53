#include "service/http/trust_store.h"

#include <fmt/format.h>
#include <openssl/err.h>

namespace lmbroker::http {
namespace {

constexpr std::string_view kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

}  // namespace

absl::StatusOr<TrustStore> LoadTrustStore(const std::string& ca_file) {
  const std::string file = ca_file.empty() ? std::string(kSystemBundle) : ca_file;
  TrustStore store(X509_STORE_new());
  if (store == nullptr || X509_STORE_load_file(store.get(), file.c_str()) != 1) {
    ERR_clear_error();
    return absl::FailedPreconditionError(fmt::format("cannot read certificate authorities from {}", file));
  }
  // An intermediate authority in the file is trusted by itself, as in curl: whoever pins it wants just that.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

}  // namespace lmbroker::http
