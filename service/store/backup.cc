#include "service/store/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include "service/base/descriptor.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/store/sqlite_database.h"
#include "service/store/sync.h"

namespace lmbroker::store {
namespace {

absl::Status Failed(const std::string& path, std::string_view what, int error) {
  return absl::FailedPreconditionError(
      fmt::format("{}: cannot {}: {}", path, what, std::generic_category().message(error)));
}

// One read of the database at one moment; free pages, and what was deleted, stay behind.
absl::Status CopyInto(const std::string& database, const std::string& draft, absl::Duration wait) {
  ASSIGN_OR_RETURN(const Database source, Database::OpenReadOnly(database, wait));
  ASSIGN_OR_RETURN(Statement copy, source.Prepare("VACUUM INTO ?"));
  absl::Status copied = copy.Text(draft).Run();
  if (copied.ok()) return copied;
  return absl::FailedPreconditionError(fmt::format("{}: cannot be copied: {}", database, ToStd(copied.message())));
}

}  // namespace

absl::Status BackUp(const std::string& database, const std::string& out, absl::Duration wait) {
  // Made under another name and then linked, which never replaces: nobody can meet half a copy.
  std::string draft = out + ".XXXXXX";
  const Descriptor file(mkostemp(draft.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return Failed(out, "create it", errno);
  const absl::Cleanup remove_draft = [&draft] { unlink(draft.c_str()); };
  RETURN_IF_ERROR(CopyInto(database, draft, wait));
  if (fsync(file.get()) != 0) return Failed(out, "write it", errno);
  RETURN_IF_ERROR(Database::OpenReadOnly(draft, wait).status());  // it hangs together
  if (link(draft.c_str(), out.c_str()) != 0) {
    if (errno == EEXIST)
      return absl::FailedPreconditionError(fmt::format("{}: exists already and was not touched", out));
    return Failed(out, "create it", errno);
  }
  return SyncDirectoryOf(out);
}

}  // namespace lmbroker::store
