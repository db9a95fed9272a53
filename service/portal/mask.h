#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "service/portal/span.h"

namespace lmbroker::portal {

// Puts `****` in place of the spans of a text that comes in windows: one for spans that overlap or touch. Not
// synchronised.
class Mask {
 public:
  // Appends to `out` the text up to `end`, which it has not seen yet, without what `spans` cover, and removes those
  // that begin before `end`; what comes later must not begin there.
  void Apply(const Window& window, std::size_t end, std::vector<Span>& spans, std::string& out);

 private:
  std::size_t done_ = 0;
  bool masked_ = false;  // whether `****` is the last that went out
};

// The same for a whole text. The old bytes are wiped.
void MaskAll(std::string& text, std::vector<Span> spans);

}  // namespace lmbroker::portal
