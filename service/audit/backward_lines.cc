#include "service/audit/backward_lines.h"

#include <algorithm>
#include <utility>

#include "service/audit/line.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

constexpr std::uint64_t kBlockBytes = std::uint64_t{256} * 1024;

}  // namespace

BackwardLines::BackwardLines(const FileSystem& files, std::string path, std::uint64_t size)
    : files_(files), path_(std::move(path)), end_(size), block_start_(size) {}

absl::StatusOr<std::optional<BackwardLines::Line>> BackwardLines::Next() {
  if (done_) return std::nullopt;
  ASSIGN_OR_RETURN(const std::uint64_t start, FindStart());
  Line line{.start = start, .end = end_, .text = {}};
  const std::uint64_t bytes = line.end - line.start;
  if (bytes <= kMostLineBytes) {
    if (line.end <= block_start_ + block_.size()) {
      line.text = block_.substr(start - block_start_, bytes);
    } else {
      ASSIGN_OR_RETURN(line.text, files_.Read(path_, start, bytes));
    }
  }
  done_ = start == 0;
  end_ = done_ ? 0 : start - 1;
  return line;
}

// Of the line that ends at end_. The block holds it afterwards.
absl::StatusOr<std::uint64_t> BackwardLines::FindStart() {
  std::uint64_t at = end_;
  while (true) {
    if (at > block_start_) {
      const std::size_t newline = block_.rfind('\n', at - block_start_ - 1);
      if (newline != std::string::npos) return block_start_ + newline + 1;
      at = block_start_;
    }
    if (at == 0) return std::uint64_t{0};
    block_start_ = at - std::min(at, kBlockBytes);
    ASSIGN_OR_RETURN(block_, files_.Read(path_, block_start_, at - block_start_));
    if (block_.size() != at - block_start_) return absl::UnavailableError(path_ + " shrinks while it is read");
  }
}

}  // namespace lmbroker::audit
