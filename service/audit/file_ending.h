#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "service/audit/chain.h"
#include "service/audit/file.h"
#include "service/audit/marks.h"

namespace lmbroker::audit {

// How a file of lines ends.
struct FileEnding {
  std::optional<Link> last;          // its last record, if it has one
  std::optional<Fragment> fragment;  // what stands behind that
  bool needs_newline = false;        // before anything is appended
};

// Looks at the end of a file. A last record that only lacks its newline is one. NOT_FOUND when there is no file, or an
// empty one; FAILED_PRECONDITION when it is not the audit's.
absl::StatusOr<FileEnding> ReadEnding(const FileSystem& files, const std::string& path);

}  // namespace lmbroker::audit
