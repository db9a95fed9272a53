// No input is a token that somebody signed; what is read of it has one meaning, and is bounded.

#include "service/base/identity_text.h"
#include "service/identity/key_set.h"
#include "service/identity/service_account.h"
#include "service/identity/token_check.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

// A public key of RFC 7515 (appendix A.3) under the name that the corpus uses.
const identity::PublicKey& Key() {
  static const auto keys = identity::KeySet::Parse(
      R"({"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})");
  Require(keys.ok(), "the key of the RFC is one");
  return *keys->Find("k");
}

const identity::TokenRules& Rules() {
  static const identity::TokenRules rules{.issuer = "i", .audience = "a"};
  return rules;
}

void JudgeToken(std::string_view token) {
  const auto jwt = identity::Jwt::Parse(token);
  if (!jwt.ok()) return RequireRefusal(jwt.status(), Reason::kBadToken);
  Require(token.size() <= identity::kMostTokenBytes, "a token is bounded");
  Require(!jwt->key_id.empty(), "a token names its key");
  Require(std::string(jwt->signed_part) + "." + std::string(jwt->signature) == token, "the parts are the token");
  Require(jwt->signature.find('.') == std::string_view::npos, "there are three parts");
  const auto account = identity::CheckToken(*jwt, Key(), Rules(), absl::FromUnixSeconds(1'700'000'000));
  Require(!account.ok(), "nobody signed it");
  RequireRefusal(account.status(), Reason::kBadToken);
}

void JudgeClaims(std::string_view claims) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const auto account = identity::JudgeClaims(claims, Rules(), now);
  if (!account.ok()) return RequireRefusal(account.status(), Reason::kBadToken);
  Require(account->identity.starts_with("k8s:") && IdentityProblem(account->identity).empty(), "the identity is one");
  Require(account->expire_time > now - Rules().leeway, "it has not expired");
  Require(!account->uid.empty(), "the account has a uid");
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  JudgeToken(input);
  JudgeClaims(input);
}

}  // namespace lmbroker::fuzz
