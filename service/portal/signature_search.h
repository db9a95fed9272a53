#pragma once

#include <cstddef>
#include <vector>

#include "service/portal/span.h"

namespace lmbroker::portal {

// Finds the values of echoed Authorization headers: behind `LMv1 `, an id of at most 256 characters, a colon, and at
// least 40 characters of base64, which no prose has. Each is hidden to its end, however far that is. Reads a text in
// windows, each of which begins at kept() or before. Not synchronised.
class SignatureSearch {
 public:
  // Adds spans in ascending order; a long one in parts that touch or overlap.
  void Search(const Window& window, std::vector<Span>& found);

  // What is before this is judged.
  std::size_t kept() const { return at_; }

 private:
  std::size_t at_ = 0;
  bool in_signature_ = false;
};

}  // namespace lmbroker::portal
