#include "service/store/tampering.h"

#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::store {

absl::Status Tampered(std::string_view what) {
  return Refuse(Reason::kSealed, fmt::format("The broker's database was changed by somebody else: {}. Nothing was "
                                             "opened; restore a backup with `lmbrokerd restore`.",
                                             what));
}

}  // namespace lmbroker::store
