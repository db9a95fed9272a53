#include "service/audit/verify_files.h"

#include <cstdint>
#include <utility>

#include "service/audit/posix_file_system.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} * 1024;

absl::Status VerifyFile(const FileSystem& files, const std::string& path, Verifier& verifier) {
  verifier.BeginFile(path);
  for (std::uint64_t at = 0; !verifier.damaged();) {
    ASSIGN_OR_RETURN(const std::string block, files.Read(path, at, kBlockBytes));
    if (block.empty()) break;
    verifier.Add(block);
    at += block.size();
  }
  verifier.EndFile();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Findings> VerifyFiles(const std::vector<std::string>& paths, Verifier::Options options) {
  const PosixFileSystem files;
  Verifier verifier(std::move(options));
  for (const std::string& path : paths) RETURN_IF_ERROR(VerifyFile(files, path, verifier));
  return verifier.Finish();
}

}  // namespace lmbroker::audit
