#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "service/http/client.h"
#include "service/portal/secret_forms.h"

namespace lmbroker::portal {

// What callers must not see in a reply (design, section 4), replaced by `****`:
// * the key that signed the call, in every form of SecretForms, anywhere in the body and the headers;
// * what looks like an Authorization value of LM's (`LMv1 id:signature:epoch`), since it can be sent again;
// * string values of JSON fields with a key-like name (IsKeyLike), also those in arrays under such a name, and the
//   `value` of objects whose `name` is key-like, as LM writes device properties: {"name":"ssh.pass","value":"…"}.
// Values that are empty or nothing but stars already stay. A clean body is not touched.
//
// Works on bytes, on broken JSON as well: what does not parse is still searched. A compressed body is inflated first
// (and its Content-Encoding header dropped), to at most `most_bytes`: else REPLY_TOO_LARGE. What cannot be searched is
// not handed on: an unknown Content-Encoding, a broken stream, or JSON nested deeper than 256 is PORTAL_ERROR.
absl::Status ScrubReply(http::Response& reply, const SecretForms& forms, std::size_t most_bytes);

// The same for a reply that comes in pieces. Holds it whole until its end.
class Scrubber {
 public:
  // Scrubs the headers at once. `reply` holds head and no body; `forms` must outlive this.
  Scrubber(http::Response& reply, const SecretForms& forms, std::size_t most_bytes);

  // Takes the next piece and appends to `out` what can be handed on of all so far.
  absl::Status Feed(std::string_view piece, std::string& out);
  // The same at the end.
  absl::Status Finish(std::string& out);

 private:
  const SecretForms& forms_;
  const std::size_t most_bytes_;
  http::Response held_;
};

// The first two rules for a text of its own.
void ScrubText(std::string& text, const SecretForms& forms);

// Whether a field or property of this name holds a secret. Letter case, `_` and `-` do not count.
// * Names that end in: accesskey, secretkey, apikey, privatekey, serviceaccountkey, password, passwd, passphrase,
//   secret, apitoken, accesstoken, authtoken, privtoken, refreshtoken, bearertoken.
// * The name `token` alone.
// * Names of properties that end in: .pass, .pwd, .key, .auth, .community, .token, .credentials.
bool IsKeyLike(std::string_view name);

}  // namespace lmbroker::portal
