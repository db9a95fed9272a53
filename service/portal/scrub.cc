#include "service/portal/scrub.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/http/inflate.h"
#include "service/portal/json_lexer.h"
#include "service/portal/reply_headers.h"

namespace lmbroker::portal {
namespace {

constexpr std::string_view kMask = "****";
constexpr std::size_t kDeepest = 256;

constexpr std::array<std::string_view, 15> kEndings = {
    "accesskey",   "secretkey", "apikey",     "privatekey",   "serviceaccountkey",
    "password",    "passwd",    "passphrase", "secret",       "apitoken",
    "accesstoken", "authtoken", "privtoken",  "refreshtoken", "bearertoken"};
constexpr std::array<std::string_view, 7> kPropertyEndings = {".pass",      ".pwd",   ".key",        ".auth",
                                                              ".community", ".token", ".credentials"};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsSeparator(char c) { return c == '_' || c == '-'; }

// Whether `name`, without separators and in lower case, ends in `ending`.
bool EndsIn(std::string_view name, std::string_view ending) {
  while (!ending.empty()) {
    while (!name.empty() && IsSeparator(name.back())) name.remove_suffix(1);
    if (name.empty() || Lower(name.back()) != ending.back()) return false;
    name.remove_suffix(1);
    ending.remove_suffix(1);
  }
  return true;
}

struct Span {
  std::size_t offset = 0;
  std::size_t size = 0;
};

// Finds what the rules for JSON hide.
class FieldSearch {
 public:
  FieldSearch(std::string_view text, const SecretForms& forms) : text_(text), forms_(forms) {}

  // Spans in ascending order; nothing when the nesting is too deep to follow.
  std::optional<std::vector<Span>> Run() {
    JsonLexer lexer(text_);
    for (char token = lexer.Next(); token != 0; token = lexer.Next()) {
      if (levels_.size() > kDeepest) return std::nullopt;
      Take(token, lexer);
    }
    while (levels_.size() > 1) Leave();
    std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) { return a.offset < b.offset; });
    return std::move(spans_);
  }

 private:
  // An open object or array, and the member in it that is being read.
  struct Level {
    bool is_array = false;
    bool at_value = false;
    bool key_like = false;        // the member's name
    std::string_view member;      // its name as written
    bool named_key_like = false;  // {"name": "ssh.pass", …
    std::optional<Span> value;    //  … "value": "…"}
  };

  void Take(char token, const JsonLexer& lexer) {
    Level& level = levels_.back();
    switch (token) {
      case '{':
        levels_.push_back({});
        return;
      case '[':
        levels_.push_back({.is_array = true, .at_value = true, .key_like = level.at_value && level.key_like});
        return;
      case '}':
      case ']':
        if (levels_.size() > 1) Leave();
        return;
      case ':':
        level.at_value = true;
        return;
      case ',':
        level.at_value = level.is_array;
        return;
      default:
        break;
    }
    const std::string_view raw = lexer.string();
    const Span span{.offset = lexer.string_offset(), .size = raw.size()};
    if (HasEscapedSecret(raw)) Hide(span);
    if (level.at_value) {
      TakeValue(level, raw, span);
    } else {
      level.member = raw;
      level.key_like = NamesKey(raw);
    }
  }

  void TakeValue(Level& level, std::string_view raw, Span span) {
    if (level.key_like) Hide(span);
    if (level.is_array) return;
    if (level.member == "name") level.named_key_like = NamesKey(raw);
    if (level.member == "value") level.value = span;
  }

  void Leave() {
    const Level& level = levels_.back();
    if (level.named_key_like && level.value.has_value()) Hide(*level.value);
    levels_.pop_back();
  }

  void Hide(Span span) {
    const std::string_view value = text_.substr(span.offset, span.size);
    if (value.find_first_not_of('*') != std::string_view::npos) spans_.push_back(span);
  }

  // What stands there without escapes is found in the text as a whole.
  bool HasEscapedSecret(std::string_view raw) const {
    return raw.find('\\') != std::string_view::npos && forms_.FoundIn(Unescaped(raw));
  }

  static bool NamesKey(std::string_view raw) {
    return raw.find('\\') == std::string_view::npos ? IsKeyLike(raw) : IsKeyLike(Unescaped(raw));
  }

  std::string_view text_;
  const SecretForms& forms_;
  std::vector<Level> levels_ = {{}};  // the lowest is for what stands outside of every bracket
  std::vector<Span> spans_;
};

void Replace(std::string& text, const std::vector<Span>& spans) {
  if (spans.empty()) return;
  std::string masked;
  std::size_t done = 0;
  for (const Span& span : spans) {
    if (span.offset < done) continue;  // the same value by two rules
    masked.append(text, done, span.offset - done).append(kMask);
    done = span.offset + span.size;
  }
  masked.append(text, done);
  Wipe(text.data(), text.size());
  text = std::move(masked);
}

// `LMv1 id:signature…`: base64 of 64 bytes behind the first colon, which no prose has.
std::vector<Span> FindSignatures(std::string_view text) {
  constexpr std::string_view kScheme = "LMv1 ";
  constexpr std::string_view kValue = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:";
  std::vector<Span> spans;
  for (std::size_t at = text.find(kScheme); at != std::string_view::npos; at = text.find(kScheme, at)) {
    at += kScheme.size();
    const std::size_t end = std::min(text.find_first_not_of(kValue, at), text.size());
    const std::string_view value = text.substr(at, end - at);
    const std::size_t colon = value.find(':');
    if (colon != std::string_view::npos && value.size() - colon > 40) spans.push_back({at, value.size()});
  }
  return spans;
}

absl::Status Unsearchable(std::string_view problem) {
  return Refuse(Reason::kPortalError,
                fmt::format("The broker withholds the portal's reply because it cannot search it for secrets: {}; ask "
                            "for JSON.",
                            problem));
}

absl::Status InflateBody(http::Response& reply, std::size_t most_bytes) {
  const auto coding = FindHeader(reply.headers, "Content-Encoding");
  if (!coding.has_value() || reply.body.empty() || EqualsIgnoreCase(*coding, "identity")) return absl::OkStatus();
  if (!EqualsIgnoreCase(*coding, "gzip") && !EqualsIgnoreCase(*coding, "deflate")) {
    return Unsearchable(fmt::format("its Content-Encoding is {}", Excerpt(*coding)));
  }
  absl::StatusOr<std::string> plain = http::Inflate(reply.body, *coding, most_bytes);
  if (IsRefusal(plain.status(), Reason::kBodyTooLarge)) {
    return Refuse(Reason::kReplyTooLarge,
                  fmt::format("The portal's reply inflates to more than {} bytes; ask for less of it.", most_bytes));
  }
  if (!plain.ok()) return Unsearchable("its compressed body is broken");
  reply.body = *std::move(plain);
  std::erase_if(reply.headers, [](const http::NameValue& header) {
    return EqualsIgnoreCase(header.name, "Content-Encoding") || EqualsIgnoreCase(header.name, "Content-Length");
  });
  return absl::OkStatus();
}

}  // namespace

absl::Status ScrubReply(http::Response& reply, const SecretForms& forms, std::size_t most_bytes) {
  RETURN_IF_ERROR(InflateBody(reply, most_bytes));
  for (http::NameValue& header : reply.headers) ScrubText(header.value, forms);
  ScrubText(reply.body, forms);
  const auto fields = FieldSearch(reply.body, forms).Run();
  if (!fields.has_value()) return Unsearchable("it is nested too deep");
  Replace(reply.body, *fields);
  return absl::OkStatus();
}

Scrubber::Scrubber(http::Response& reply, const SecretForms& forms, std::size_t most_bytes)
    : forms_(forms), most_bytes_(most_bytes), held_{.status = reply.status, .headers = reply.headers} {
  for (http::NameValue& header : reply.headers) ScrubText(header.value, forms);
}

absl::Status Scrubber::Feed(std::string_view piece, std::string&) {
  if (piece.size() > most_bytes_ - held_.body.size()) {
    return Refuse(Reason::kReplyTooLarge,
                  fmt::format("The portal's reply has more than {} bytes; ask for less of it.", most_bytes_));
  }
  held_.body += piece;
  return absl::OkStatus();
}

absl::Status Scrubber::Finish(std::string& out) {
  RETURN_IF_ERROR(ScrubReply(held_, forms_, most_bytes_));
  out += held_.body;
  return absl::OkStatus();
}

void ScrubText(std::string& text, const SecretForms& forms) {
  forms.Mask(text);
  Replace(text, FindSignatures(text));
}

bool IsKeyLike(std::string_view name) {
  while (!name.empty() && IsSeparator(name.back())) name.remove_suffix(1);
  if (name.empty()) return false;
  // Every name of every reply comes through here, and the last letter decides most of them.
  const auto ends_in = [name, last = Lower(name.back())](std::string_view ending) {
    return ending.back() == last && EndsIn(name, ending);
  };
  return std::any_of(kEndings.begin(), kEndings.end(), ends_in) ||
         std::any_of(kPropertyEndings.begin(), kPropertyEndings.end(), ends_in) || EqualsIgnoreCase(name, "token");
}

}  // namespace lmbroker::portal
