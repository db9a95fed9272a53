#include "service/portal/scrub.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/portal/reply_headers.h"

namespace lmbroker::portal {
namespace {

absl::Status Unsearchable(std::string_view problem) {
  return Refuse(Reason::kPortalError,
                fmt::format("The broker withholds the portal's reply because it cannot search it for secrets: {}; ask "
                            "for JSON.",
                            problem));
}

// A stream's memory is bounded whatever it inflates to; the work that one makes here is not, nor what its caller gets.
// JSON becomes ten to thirty times as much, at most; of the rest there may be some.
constexpr std::uint64_t kInflatedFreely = std::uint64_t{64} << 20;
constexpr std::uint64_t kMostInflation = 100;

absl::Status Bomb() {
  return Refuse(
      Reason::kReplyTooLarge,
      fmt::format("The portal's reply inflates to more than {} bytes and more than {} times what came; ask for "
                  "less of it.",
                  kInflatedFreely, kMostInflation));
}

absl::Status BrokenCoding() { return Unsearchable("its compressed body is broken"); }
absl::Status TooDeep() { return Unsearchable("it is nested too deep"); }

// Nothing when the body is plain.
absl::StatusOr<std::optional<http::Coding>> CodingOf(const http::Response& reply) {
  const auto name = FindHeader(reply.headers, "Content-Encoding");
  if (!name.has_value() || EqualsIgnoreCase(*name, "identity")) return std::nullopt;
  const auto coding = http::ParseCoding(*name);
  if (!coding.has_value()) return Unsearchable(fmt::format("its Content-Encoding is {}", Excerpt(*name)));
  return coding;
}

void DropCoding(http::Response& reply) {
  std::erase_if(reply.headers, [](const http::NameValue& header) {
    return EqualsIgnoreCase(header.name, "Content-Encoding") || EqualsIgnoreCase(header.name, "Content-Length");
  });
}

absl::Status InflateBody(http::Response& reply, std::size_t most_bytes) {
  if (reply.body.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto coding, CodingOf(reply));
  if (!coding.has_value()) return absl::OkStatus();
  absl::StatusOr<std::string> plain = http::Inflate(reply.body, *coding, most_bytes);
  if (IsRefusal(plain.status(), Reason::kBodyTooLarge)) {
    return Refuse(Reason::kReplyTooLarge,
                  fmt::format("The portal's reply inflates to more than {} bytes; ask for less of it.", most_bytes));
  }
  if (!plain.ok()) return BrokenCoding();
  reply.body = *std::move(plain);
  DropCoding(reply);
  return absl::OkStatus();
}

// The key and what it signed, in any text.
std::vector<Span> FindKey(std::string_view text, const SecretForms& forms) {
  std::vector<Span> found;
  forms.Search({.text = text}, 0, found);
  EscapedSearch(forms).Search({.text = text}, found);
  SignatureSearch().Search({.text = text}, found);
  return found;
}

}  // namespace

absl::Status ScrubReply(http::Response& reply, const SecretForms& forms, std::size_t most_bytes) {
  RETURN_IF_ERROR(InflateBody(reply, most_bytes));
  for (http::NameValue& header : reply.headers) ScrubText(header.value, forms);
  std::vector<Span> found = FindKey(reply.body, forms);
  if (!FieldSearch().Search({.text = reply.body}, found)) return TooDeep();
  MaskAll(reply.body, std::move(found));
  return absl::OkStatus();
}

Scrubber::Scrubber(http::Response& reply, const SecretForms& forms) : forms_(forms), escaped_(forms) {
  if (const auto coding = CodingOf(reply); !coding.ok()) {
    unreadable_ = coding.status();
  } else if (coding->has_value()) {
    inflater_.emplace(**coding);  // NOLINT(bugprone-unchecked-optional-access): asked one line above
    DropCoding(reply);
  }
  for (http::NameValue& header : reply.headers) ScrubText(header.value, forms);
}

absl::Status Scrubber::Feed(std::string_view piece, std::string& out) {
  if (piece.empty()) return absl::OkStatus();
  started_ = true;
  if (!unreadable_.ok()) return unreadable_;
  if (!inflater_.has_value()) {
    held_ += piece;
    return Search(false, out);
  }
  return FeedCompressed(piece, out);
}

absl::Status Scrubber::FeedCompressed(std::string_view piece, std::string& out) {
  compressed_bytes_ += piece.size();
  while (true) {
    const auto plain = inflater_->Next(piece);  // NOLINT(bugprone-unchecked-optional-access): Feed asked
    if (!plain.has_value()) return BrokenCoding();
    if (plain->empty()) return absl::OkStatus();
    inflated_bytes_ += plain->size();
    if (IsBomb(compressed_bytes_, inflated_bytes_)) return Bomb();
    held_ += *plain;
    RETURN_IF_ERROR(Search(false, out));
  }
}

absl::Status Scrubber::Finish(std::string& out) {
  // No body at all is a good one, whatever its coding.
  if (started_ && inflater_.has_value() && !inflater_->done()) return BrokenCoding();
  return Search(true, out);
}

absl::Status Scrubber::Search(bool last, std::string& out) {
  const Window window{.text = held_, .offset = offset_, .last = last};
  forms_at_ = forms_.Search(window, forms_at_, found_);
  escaped_.Search(window, found_);
  signatures_.Search(window, found_);
  if (!fields_.Search(window, found_)) return TooDeep();
  const std::size_t judged = std::min({forms_at_, escaped_.kept(), signatures_.kept(), fields_.kept()});
  mask_.Apply(window, judged, found_, out);
  held_.erase(0, judged - offset_);
  offset_ = judged;
  return absl::OkStatus();
}

bool IsBomb(std::uint64_t compressed_bytes, std::uint64_t inflated_bytes) {
  return inflated_bytes > kInflatedFreely && inflated_bytes / kMostInflation > compressed_bytes;
}

void ScrubText(std::string& text, const SecretForms& forms) { MaskAll(text, FindKey(text, forms)); }

}  // namespace lmbroker::portal
