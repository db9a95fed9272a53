#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/audit/file.h"
#include "service/audit/posix_file_system.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// Real files on a disk whose faults the test sets; flushes are counted, not done, so that no real disk is waited for.
// Safe for concurrent use.
class FaultyFileSystem final : public FileSystem {
 public:
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  struct Faults {
    std::size_t room = kUnbounded;            // bytes that the disk still takes; the write that meets its end is short
    std::size_t most_per_write = kUnbounded;  // bytes that one write takes
    bool open_fails = false;
    bool read_only = false;  // nothing can be opened for writing, written or flushed any more
    bool sync_fails = false;
    bool truncate_fails = false;
    bool rename_fails = false;
    bool hangs = false;  // writes and flushes do not return
  };

  ~FaultyFileSystem() override { Set({}); }

  void Set(const Faults& faults) {
    const MutexLock lock(mutex_);
    faults_ = faults;
    changed_.notify_all();
  }

  // Returns once a write or flush hangs.
  void AwaitHanging() {
    const MutexLock lock(mutex_);
    while (hanging_ == 0) changed_.wait(mutex_);
  }
  // Returns once so many flushes have ended.
  void AwaitSyncs(int count) {
    const MutexLock lock(mutex_);
    while (syncs_ < count) changed_.wait(mutex_);
  }
  int syncs() const {
    const MutexLock lock(mutex_);
    return syncs_;
  }
  // How much of the file a crash would leave.
  std::uint64_t flushed_bytes() const {
    const MutexLock lock(mutex_);
    return flushed_bytes_;
  }
  int writes() const {
    const MutexLock lock(mutex_);
    return writes_;
  }

  absl::StatusOr<std::unique_ptr<File>> OpenForAppend(const std::string& path) override {
    if (faults().open_fails) return absl::UnavailableError("open: told to fail");
    if (faults().read_only) return absl::UnavailableError("open: Read-only file system");
    absl::StatusOr<std::unique_ptr<File>> file = real_.OpenForAppend(path);
    if (!file.ok()) return file;
    return std::make_unique<FaultyFile>(*this, *std::move(file));
  }
  absl::StatusOr<FileId> Identify(const std::string& path) const override { return real_.Identify(path); }
  absl::StatusOr<std::uint64_t> SizeOf(const std::string& path) const override { return real_.SizeOf(path); }
  absl::StatusOr<std::string> Read(const std::string& path, std::uint64_t offset, std::size_t most) const override {
    return real_.Read(path, offset, most);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (faults().rename_fails) return absl::UnavailableError("rename: told to fail");
    return real_.Rename(from, to);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const override {
    return real_.List(directory);
  }
  absl::Status SyncDirectory(const std::string& directory) override { return real_.SyncDirectory(directory); }

 private:
  class FaultyFile final : public File {
   public:
    FaultyFile(FaultyFileSystem& system, std::unique_ptr<File> real) : system_(system), real_(std::move(real)) {}

    FileId Id() const override { return real_->Id(); }
    absl::StatusOr<std::uint64_t> Size() const override { return real_->Size(); }
    absl::StatusOr<std::size_t> Append(std::string_view data) override {
      if (system_.faults().read_only) return absl::UnavailableError("write: Read-only file system");
      const std::size_t most = system_.Take(data.size());
      if (most == 0) return absl::UnavailableError("write: No space left on device");
      return real_->Append(data.substr(0, most));
    }
    absl::Status Sync() override {
      const absl::StatusOr<std::uint64_t> size = real_->Size();
      if (!size.ok() || !system_.MaySync(*size)) return absl::UnavailableError("flush: Input/output error");
      return absl::OkStatus();
    }
    absl::Status Truncate(std::uint64_t size) override {
      if (system_.faults().truncate_fails) return absl::UnavailableError("truncate: told to fail");
      return real_->Truncate(size);
    }

   private:
    FaultyFileSystem& system_;
    const std::unique_ptr<File> real_;
  };

  Faults faults() const {
    const MutexLock lock(mutex_);
    return faults_;
  }

  std::size_t Take(std::size_t wanted) {
    const MutexLock lock(mutex_);
    ++writes_;
    AwaitDisk();
    const std::size_t taken = std::min({wanted, faults_.room, faults_.most_per_write});
    if (faults_.room != kUnbounded) faults_.room -= taken;
    return taken;
  }
  bool MaySync(std::uint64_t size) {
    const MutexLock lock(mutex_);
    AwaitDisk();
    ++syncs_;
    changed_.notify_all();
    if (faults_.sync_fails || faults_.read_only) return false;
    flushed_bytes_ = size;
    return true;
  }
  void AwaitDisk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++hanging_;
    if (faults_.hangs) changed_.notify_all();
    while (faults_.hangs) changed_.wait(mutex_);
    --hanging_;
  }

  PosixFileSystem real_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  int hanging_ ABSL_GUARDED_BY(mutex_) = 0;
  int syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t flushed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lmbroker::audit
