#pragma once

#include <string>
#include <vector>

#include "service/base/secret.h"

namespace lmbroker::portal {

// The forms in which a reply could give a secret back: as it is, percent-encoded, in hex, and in base64 at any
// alignment (as within "user:secret"). Made once per key. Immutable, so safe for concurrent use.
class SecretForms {
 public:
  // A secret of fewer bytes than this would be found by chance in any long text; it has no forms.
  static constexpr std::size_t kShortest = 8;

  explicit SecretForms(const Secret& secret);

  // Whether some form stands in `text`.
  bool FoundIn(std::string_view text) const;
  // Puts `****` in place of each; whether there was one.
  bool Mask(std::string& text) const;

 private:
  std::vector<Secret> forms_;
};

}  // namespace lmbroker::portal
