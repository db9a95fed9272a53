#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/audit/file.h"

namespace lmbroker::audit {

// The lines of a file from the last to the first, in bounded memory.
class BackwardLines {
 public:
  struct Line {
    std::uint64_t start = 0;  // its place in the file
    std::uint64_t end = 0;    // without its newline
    std::string text;         // without its newline; empty when it is longer than any record
  };

  // Reads `size` bytes of the file at `path`. The file system must outlive this.
  BackwardLines(const FileSystem& files, std::string path, std::uint64_t size);

  // First what stands behind the last newline, mostly nothing; then line by line. Nothing before the first line.
  absl::StatusOr<std::optional<Line>> Next();

 private:
  absl::StatusOr<std::uint64_t> FindStart();

  const FileSystem& files_;
  const std::string path_;
  std::uint64_t end_;  // of the next line
  bool done_ = false;
  std::string block_;
  std::uint64_t block_start_;
};

}  // namespace lmbroker::audit
