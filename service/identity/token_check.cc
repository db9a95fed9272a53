#include "service/identity/token_check.h"

#include "service/base/secret.h"
#include "service/crypto/encoding.h"
#include "service/identity/bad_token.h"

namespace lmbroker::identity {

absl::StatusOr<ServiceAccount> CheckToken(const Jwt& token, const PublicKey& key, const TokenRules& rules,
                                          absl::Time now) {
  if (key.algorithm() != token.algorithm) return BadToken("names an algorithm that is not its key's");
  auto signature = crypto::DecodeBase64Url(token.signature);
  const bool good = signature.has_value() && key.Verify(token.signed_part, *signature);
  if (signature.has_value()) Wipe(signature->data(), signature->size());
  if (!good) return BadToken("has a signature that is not its key's");
  const auto claims = crypto::DecodeBase64Url(token.claims);
  if (!claims.has_value()) return BadToken("has claims that are not base64url");
  return JudgeClaims(*claims, rules, now);
}

}  // namespace lmbroker::identity
