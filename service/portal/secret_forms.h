#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/secret.h"
#include "service/portal/span.h"

namespace lmbroker::portal {

// The forms in which a reply could give a secret back: as it is, percent-encoded, in hex, and in base64 at any
// alignment (as within "user:secret"). Made once per key. Immutable, so safe for concurrent use.
class SecretForms {
 public:
  // A secret of fewer bytes than this would be found by chance in any long text; it has no forms.
  static constexpr std::size_t kShortest = 8;

  explicit SecretForms(const Secret& secret);

  // Adds the span of every form that starts in `window` at `from` or behind. Gives where the next search must start:
  // the end of the window if it is the last, else at most longest() before it.
  std::size_t Search(const Window& window, std::size_t from, std::vector<Span>& found) const;
  // Bytes of the longest form; 0 when there is none.
  std::size_t longest() const { return longest_; }

 private:
  void BuildShifts();

  std::vector<Secret> forms_;
  std::size_t shortest_ = 0;
  std::size_t longest_ = 0;
  Secret shifts_;  // by hash of a block, how far the search may go on; derived from the secret, so kept like it
};

}  // namespace lmbroker::portal
