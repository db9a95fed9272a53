#include "service/store/restore.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/store/binding.h"
#include "service/store/sqlite_store.h"
#include "service/store/store_lock.h"
#include "service/store/sync.h"

namespace lmbroker::store {
namespace {

constexpr std::size_t kMostCounterBytes = 65536;
// What belongs to a database file: its log, and the index of that.
constexpr std::string_view kParts[] = {"", "-wal", "-shm"};

absl::Status Failed(std::string_view path, std::string_view what, const std::error_code& error) {
  return absl::FailedPreconditionError(fmt::format("{}: cannot {}: {}", path, what, error.message()));
}

absl::Status WithBackup(const std::string& backup, const absl::Status& why) {
  return absl::FailedPreconditionError(
      fmt::format("{}: cannot be restored, and nothing was changed: {}", backup, ToStd(why.message())));
}

// A copy in a directory of the broker's own: the backup itself is not even locked. Its log, should it have one, belongs
// to it.
absl::Status CopyBackup(const std::string& backup, const std::string& copy) {
  for (const std::string_view part : {kParts[0], kParts[1]}) {
    const std::string from = backup + std::string(part);
    const std::string to = copy + std::string(part);
    std::error_code error;
    if (!part.empty() && !std::filesystem::exists(from, error)) continue;
    if (!std::filesystem::is_regular_file(from, error)) {
      return absl::FailedPreconditionError(fmt::format("{}: is no file", from));
    }
    // SQLite would take it for a new database.
    if (part.empty() && std::filesystem::is_empty(from, error)) {
      return absl::FailedPreconditionError(fmt::format("{}: is empty", from));
    }
    if (!std::filesystem::copy_file(from, to, error)) return Failed(from, "copy it", error);
    if (chmod(to.c_str(), 0600) != 0) return Failed(to, "chmod it", {errno, std::generic_category()});
  }
  return absl::OkStatus();
}

// Opens every secret, and counts what there is.
absl::Status OpenSecrets(Store& store, const crypto::Envelope& envelope, Restored& restored) {
  ASSIGN_OR_RETURN(const std::vector<CredentialRecord> credentials, store.ListCredentials(std::nullopt));
  std::set<PortalName> portals;
  for (const CredentialRecord& record : credentials) {
    RETURN_IF_ERROR(envelope.Open(record.secret, BindingOf(record)).status());
    portals.insert(record.name.portal());
  }
  restored.credentials = credentials.size();
  for (const PortalName& portal : portals) {
    ASSIGN_OR_RETURN(const std::vector<TokenRecord> tokens, store.ListTokens(portal));
    restored.tokens += tokens.size();
  }
  return absl::OkStatus();
}

// Makes the copy a store of its own, with a counter file of its own.
absl::Status Verify(const std::string& copy, const std::string& counter, const crypto::Envelope& envelope,
                    Random& random, Restored& restored) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStore> store,
                   SqliteStore::Open({.path = copy, .counter = counter}, random));
  RETURN_IF_ERROR(store->UnlockRestored(envelope));
  return OpenSecrets(*store, envelope, restored);
}

// Renames the database that is there, with its log.
absl::StatusOr<std::string> SetAside(const std::string& path, absl::Time now) {
  const std::string time = absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  std::string kept = fmt::format("{}.before-restore-{}", path, time);
  std::error_code error;
  for (int number = 2; std::filesystem::exists(kept, error); ++number) {
    kept = fmt::format("{}.before-restore-{}-{}", path, time, number);
  }
  bool had_any = false;
  for (const std::string_view part : kParts) {
    const std::string from = path + std::string(part);
    if (!std::filesystem::exists(from, error)) continue;
    std::filesystem::rename(from, kept + std::string(part), error);
    if (error) return Failed(from, "rename it", error);
    had_any = true;
  }
  return had_any ? kept : "";
}

}  // namespace

absl::StatusOr<Restored> Restore(const RestoreOptions& options, const crypto::Envelope& envelope, Random& random) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Take(options.path, absl::ZeroDuration()));
  std::string folder = options.path + ".restore-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return Failed(folder, "create it", {errno, std::generic_category()});
  const absl::Cleanup remove_folder = [&folder] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  const std::string copy = folder + "/store.db";
  const std::string counter = folder + "/counter";
  Restored restored;
  if (const absl::Status copied = CopyBackup(options.backup, copy); !copied.ok()) {
    return WithBackup(options.backup, copied);
  }
  if (const absl::Status good = Verify(copy, counter, envelope, random, restored); !good.ok()) {
    return WithBackup(options.backup, good);
  }
  ASSIGN_OR_RETURN(const std::string counter_bytes, ReadFile(counter, kMostCounterBytes));
  // The counter file first: it can fail for want of space, and renames hardly can.
  RETURN_IF_ERROR(WriteFileAtomically(options.counter, counter_bytes, 0600));
  ASSIGN_OR_RETURN(restored.kept, SetAside(options.path, options.now));
  std::error_code error;
  std::filesystem::rename(copy, options.path, error);
  if (error) return Failed(options.path, "put the backup there", error);
  RETURN_IF_ERROR(SyncDirectoryOf(options.path));
  return restored;
}

}  // namespace lmbroker::store
