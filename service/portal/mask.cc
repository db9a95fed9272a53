#include "service/portal/mask.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "service/base/secret.h"

namespace lmbroker::portal {
namespace {

constexpr std::string_view kMask = "****";

}  // namespace

void Mask::Apply(const Window& window, std::size_t end, std::vector<Span>& spans, std::string& out) {
  const auto copy_to = [&](std::size_t to) {
    if (to <= done_) return;
    out += window.Sub(done_, to);
    done_ = to;
    masked_ = false;
  };
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  const auto later = std::find_if(spans.begin(), spans.end(), [end](const Span& span) { return span.begin >= end; });
  for (auto span = spans.begin(); span != later; ++span) {
    copy_to(span->begin);
    if (!masked_) out += kMask;
    masked_ = true;
    done_ = std::max(done_, span->end);
  }
  spans.erase(spans.begin(), later);
  copy_to(end);
}

void MaskAll(std::string& text, std::vector<Span> spans) {
  if (spans.empty()) return;
  std::string masked;
  Mask().Apply({.text = text}, text.size(), spans, masked);
  Wipe(text.data(), text.size());
  text = std::move(masked);
}

}  // namespace lmbroker::portal
