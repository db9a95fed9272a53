#include "service/portal/signature_search.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace lmbroker::portal {
namespace {

constexpr std::string_view kScheme = "LMv1 ";
constexpr std::size_t kMostId = 256;
constexpr std::size_t kFewestBehindColon = 40;

constexpr std::array<bool, 256> kOfValue = [] {
  std::array<bool, 256> of_value{};
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:")) {
    of_value[static_cast<unsigned char>(c)] = true;
  }
  return of_value;
}();

std::size_t EndOfValue(std::string_view text, std::size_t from) {
  const auto* const end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(),
                                       [](char c) { return !kOfValue[static_cast<unsigned char>(c)]; });
  return static_cast<std::size_t>(end - text.begin());
}

enum class Verdict { kNone, kSignature, kOpen };

// Of what stands behind the scheme. Only the first kMostId + kFewestBehindColon + 1 characters of it decide.
Verdict Judge(std::string_view value, bool whole) {
  const std::size_t colon = value.substr(0, kMostId + 1).find(':');
  if (colon == std::string_view::npos) return whole || value.size() > kMostId ? Verdict::kNone : Verdict::kOpen;
  if (value.size() - colon > kFewestBehindColon) return Verdict::kSignature;
  return whole ? Verdict::kNone : Verdict::kOpen;
}

}  // namespace

void SignatureSearch::Search(const Window& window, std::vector<Span>& found) {
  const std::string_view text = window.text;
  std::size_t at = at_ - window.offset;
  while (at < text.size()) {
    if (in_signature_) {
      const std::size_t end = EndOfValue(text, at);
      if (end > at) found.push_back({window.offset + at, window.offset + end});
      in_signature_ = end == text.size();
      if (in_signature_ && window.last) at = end;
      // The value's last letters may be those of the next scheme.
      at = std::max(at, end - std::min(end, kScheme.size() - 1));
      if (in_signature_) break;
      continue;
    }
    at = text.find(kScheme.front(), at);
    if (at == std::string_view::npos) {
      at = text.size();
      break;
    }
    const std::string_view start = text.substr(at, kScheme.size());
    if (start == kScheme) {
      const std::size_t value = at + kScheme.size();
      const std::size_t end = EndOfValue(text, value);
      const Verdict verdict = Judge(text.substr(value, end - value), window.last || end < text.size());
      if (verdict == Verdict::kOpen) break;
      in_signature_ = verdict == Verdict::kSignature;
      at = value;
    } else if (!window.last && start == kScheme.substr(0, start.size())) {
      break;
    } else {
      ++at;
    }
  }
  at_ = window.offset + at;
}

}  // namespace lmbroker::portal
