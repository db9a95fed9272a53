#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/descriptor.h"

namespace lmbroker {

// A file in memory that has no name outside this process, for libraries that read their files by themselves. What it
// holds is replaced whole: whoever opens the path gets one version or another, never parts of two. Not synchronised.
class MemoryFile {
 public:
  // Empty at first.
  static absl::StatusOr<MemoryFile> Create();

  // How this process opens it; the same for every version.
  const std::string& path() const { return path_; }

  // Versions differ in their modification times by whole seconds, so that a reader who compares those before and after
  // reading twice notices a change in between, however coarse its clock.
  absl::Status Replace(std::string_view content);

 private:
  explicit MemoryFile(Descriptor descriptor);

  Descriptor descriptor_;  // stays; what it refers to changes
  std::string path_;
  long version_ = 0;
};

}  // namespace lmbroker
