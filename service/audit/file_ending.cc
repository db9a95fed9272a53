#include "service/audit/file_ending.h"

#include <algorithm>

#include <fmt/format.h>

#include "service/audit/backward_lines.h"
#include "service/base/status_macros.h"
#include "service/crypto/digest.h"
#include "service/crypto/encoding.h"

namespace lmbroker::audit {
namespace {

// More than any write that a crash can cut short.
constexpr std::uint64_t kMostFragmentBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kBlockBytes = std::uint64_t{256} * 1024;

absl::Status NotOurs(const std::string& path) {
  return absl::FailedPreconditionError(
      fmt::format("{} does not end in audit records of this version; move it away if it is none of ours", path));
}

absl::StatusOr<Fragment> ReadFragment(const FileSystem& files, const std::string& path, std::uint64_t start,
                                      std::uint64_t end) {
  crypto::Sha256Stream digest;
  for (std::uint64_t at = start; at < end; at += kBlockBytes) {
    ASSIGN_OR_RETURN(const std::string block, files.Read(path, at, std::min(kBlockBytes, end - at)));
    digest.Add(block);
  }
  return Fragment{.bytes = end - start, .digest = crypto::EncodeHex(crypto::Bytes(digest.Take()))};
}

// A file of nothing but fragments is the audit's when its first record was cut short; else it may be anybody's.
absl::StatusOr<bool> MayBeOurs(const FileSystem& files, const std::string& path, std::uint64_t size) {
  ASSIGN_OR_RETURN(const std::string head, files.Read(path, 0, std::min<std::uint64_t>(size, kBlockBytes)));
  return head.starts_with("{\"seq\":") || head.find('\n') == std::string::npos;
}

}  // namespace

absl::StatusOr<FileEnding> ReadEnding(const FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::uint64_t size, files.SizeOf(path));
  if (size == 0) return absl::NotFoundError(fmt::format("{} is empty", path));
  BackwardLines lines(files, path, size);
  FileEnding ending;
  std::uint64_t records_end = 0;  // where what is no record begins
  std::string behind;             // the last newline
  while (!ending.last.has_value()) {
    ASSIGN_OR_RETURN(auto line, lines.Next());
    if (!line.has_value()) break;
    if (size - line->start > kMostFragmentBytes) return NotOurs(path);
    if (line->end == size) {
      behind = line->text;
      ending.needs_newline = line->start != size;
      continue;
    }
    const auto record = ReadChained(line->text);
    if (!record.has_value()) continue;
    ending.last = record->link();
    records_end = line->end + 1;
  }
  if (!ending.last.has_value()) {
    ASSIGN_OR_RETURN(const bool ours, MayBeOurs(files, path, size));
    if (!ours) return NotOurs(path);
  }
  if (records_end == size) return ending;
  // Only its newline is missing: the record is whole, and is not written again.
  const Link before = ending.last.value_or(Link{});
  const auto record = ReadChained(behind);
  if (record.has_value() && records_end + behind.size() == size && record->seq == before.seq + 1 &&
      record->prev == before.hash) {
    ending.last = record->link();
    return ending;
  }
  ASSIGN_OR_RETURN(ending.fragment, ReadFragment(files, path, records_end, ending.needs_newline ? size : size - 1));
  return ending;
}

}  // namespace lmbroker::audit
