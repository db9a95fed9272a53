#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "service/http/client.h"
#include "service/http/inflate.h"
#include "service/portal/escaped_search.h"
#include "service/portal/field_search.h"
#include "service/portal/mask.h"
#include "service/portal/secret_forms.h"
#include "service/portal/signature_search.h"
#include "service/portal/span.h"

namespace lmbroker::portal {

// What callers must not see in a reply (design, section 4), replaced by `****`:
// * the key that signed the call, in every form of SecretForms and behind the escapes of JSON strings, anywhere in the
//   body and the headers;
// * what looks like an Authorization value of LM's (`LMv1 id:signature:epoch`), since it can be sent again;
// * string values of JSON fields with a key-like name (IsKeyLike), also those in arrays under such a name, and the
//   `value` of objects whose `name` is key-like, as LM writes device properties: {"name":"ssh.pass","value":"…"}.
// Values that are empty or nothing but stars already stay. A clean body is not touched.
//
// Works on bytes, on broken JSON as well: what does not parse is still searched. A compressed body is inflated first
// (and its Content-Encoding header dropped), to at most `most_bytes`: else REPLY_TOO_LARGE. What cannot be searched is
// not handed on: an unknown Content-Encoding, a broken stream, or JSON nested deeper than 256 is PORTAL_ERROR.
absl::Status ScrubReply(http::Response& reply, const SecretForms& forms, std::size_t most_bytes);

// The same for a reply that comes in pieces and has any length: what goes out is what ScrubReply would make of the
// whole, however it was cut. Holds back what may still turn out to be secret: mostly a few hundred bytes, at most about
// 64 KiB.
class Scrubber {
 public:
  // Scrubs the headers at once and takes those of the body's coding from them. `reply` holds a head and no body;
  // `forms` must outlive this.
  Scrubber(http::Response& reply, const SecretForms& forms);

  // Takes the next piece and appends to `out` what can be handed on of all so far. Compressed, a piece becomes up to a
  // thousand times as much. REPLY_TOO_LARGE when IsBomb.
  absl::Status Feed(std::string_view piece, std::string& out);
  // The same at the end. PORTAL_ERROR as well when a compressed body is cut.
  absl::Status Finish(std::string& out);

 private:
  absl::Status FeedCompressed(std::string_view piece, std::string& out);
  absl::Status Search(bool last, std::string& out);

  const SecretForms& forms_;
  absl::Status unreadable_;  // why no body can be searched
  std::optional<http::Inflater> inflater_;
  std::uint64_t compressed_bytes_ = 0;
  std::uint64_t inflated_bytes_ = 0;
  bool started_ = false;

  std::string held_;  // plain text that is searched and not handed on yet, or still needed
  std::size_t offset_ = 0;
  std::size_t forms_at_ = 0;
  EscapedSearch escaped_;
  SignatureSearch signatures_;
  FieldSearch fields_;
  std::vector<Span> found_;
  Mask mask_;
};

// Whether a compressed body that came to so much is made to be large: more than 64 MiB, and more than a hundred times
// what came.
bool IsBomb(std::uint64_t compressed_bytes, std::uint64_t inflated_bytes);

// The first two rules for a text of its own.
void ScrubText(std::string& text, const SecretForms& forms);

}  // namespace lmbroker::portal
