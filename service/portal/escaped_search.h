#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "service/portal/secret_forms.h"
#include "service/portal/span.h"

namespace lmbroker::portal {

// Finds forms of a secret that are written with the escapes of JSON strings. Anywhere, not in strings alone: where a
// string begins is a guess in text that is cut or no JSON, and a reader that guesses otherwise undoes the same escapes.
// Reads a text in windows, each of which begins at kept() or before, and finds the same however the text is cut. Not
// synchronised.
class EscapedSearch {
 public:
  // `forms` must outlive this.
  explicit EscapedSearch(const SecretForms& forms) : forms_(forms) {}

  // Adds spans, in any order, some perhaps again.
  void Search(const Window& window, std::vector<Span>& found);

  // What is before this is judged. Never within an escape.
  std::size_t kept() const { return kept_; }

 private:
  // From the byte `plain` of plain_ on it is the text from `raw` on: byte by byte, or as one escape.
  struct Part {
    std::size_t plain = 0;
    std::size_t raw = 0;
    bool escape = false;
  };

  std::size_t ReadStretch(const Window& window, std::size_t escape);
  const Part& PartAt(std::size_t plain) const;
  std::size_t RawBegin(std::size_t plain) const;
  std::size_t RawEnd(std::size_t plain) const;

  const SecretForms& forms_;
  std::size_t kept_ = 0;
  // A stretch of the text with its escapes undone, and where that comes from.
  std::string plain_;
  std::vector<Part> parts_;
};

}  // namespace lmbroker::portal
