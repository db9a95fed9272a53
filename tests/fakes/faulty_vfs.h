#pragma once

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <utility>

namespace lmbroker {

// The disk as SQLite sees it, which fails when the test says so. A sync that succeeds costs no time: nothing is made to
// outlive the machine. While one exists, every database that is opened lies on it. Not for several threads.
class FaultyVfs {
 public:
  FaultyVfs() : base_(sqlite3_vfs_find(nullptr)), vfs_(*base_) {
    vfs_.zName = "faulty";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.pAppData = this;
    vfs_.xOpen = &FaultyVfs::Open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultyVfs() {
    sqlite3_vfs_register(base_, 1);
    sqlite3_vfs_unregister(&vfs_);
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  // After `good` further changes of the disk (writes, truncations, syncs) each fails with `code`, until Heal.
  void FailAfter(int good, int code) {
    good_ = good;
    code_ = code;
    failures_ = 0;
  }
  void Heal() { good_ = std::numeric_limits<int>::max(); }
  // Calls `look` before and after each change of the disk: what lies there then is what a kill would leave.
  void WatchWith(std::function<void()> look) { look_ = std::move(look); }
  // Changes that failed since FailAfter.
  int failures() const { return failures_; }

 private:
  // What SQLite allocates for an open file: ours in front, the real one behind it.
  struct File {
    sqlite3_file base;
    FaultyVfs* vfs;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* Real(sqlite3_file* file) { return Of(file)->real(); }

  template <class Work>
  int Change(Work work) {
    if (good_ == 0) {
      ++failures_;
      return code_;
    }
    if (good_ != std::numeric_limits<int>::max()) --good_;
    if (look_) look_();
    const int code = work();
    if (look_) look_();
    return code;
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto* const self = static_cast<FaultyVfs*>(vfs->pAppData);
    new (file) File{.base = {}, .vfs = self};
    const int code = self->base_->xOpen(self->base_, name, Real(file), flags, out_flags);
    if (code == SQLITE_OK) file->pMethods = &kMethods;
    return code;
  }
  static int Close(sqlite3_file* f) { return Real(f)->pMethods->xClose(Real(f)); }
  static int Read(sqlite3_file* f, void* out, int size, sqlite3_int64 at) {
    return Real(f)->pMethods->xRead(Real(f), out, size, at);
  }
  static int Write(sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
    return Of(f)->vfs->Change([&] { return Real(f)->pMethods->xWrite(Real(f), data, size, at); });
  }
  static int Truncate(sqlite3_file* f, sqlite3_int64 size) {
    return Of(f)->vfs->Change([&] { return Real(f)->pMethods->xTruncate(Real(f), size); });
  }
  static int Sync(sqlite3_file* f, int) {
    return Of(f)->vfs->Change([] { return SQLITE_OK; });
  }
  static int FileSize(sqlite3_file* f, sqlite3_int64* size) { return Real(f)->pMethods->xFileSize(Real(f), size); }
  static int Lock(sqlite3_file* f, int level) { return Real(f)->pMethods->xLock(Real(f), level); }
  static int Unlock(sqlite3_file* f, int level) { return Real(f)->pMethods->xUnlock(Real(f), level); }
  static int CheckReservedLock(sqlite3_file* f, int* out) {
    return Real(f)->pMethods->xCheckReservedLock(Real(f), out);
  }
  static int FileControl(sqlite3_file* f, int op, void* arg) {
    return Real(f)->pMethods->xFileControl(Real(f), op, arg);
  }
  static int SectorSize(sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); }
  static int Characteristics(sqlite3_file* f) { return Real(f)->pMethods->xDeviceCharacteristics(Real(f)); }

  // The index of the write-ahead log is in shared memory, which is not the disk.
  static int ShmMap(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
    return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, out);
  }
  static int ShmLock(sqlite3_file* f, int offset, int count, int flags) {
    return Real(f)->pMethods->xShmLock(Real(f), offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); }
  static int ShmUnmap(sqlite3_file* f, int remove) { return Real(f)->pMethods->xShmUnmap(Real(f), remove); }

  static constexpr sqlite3_io_methods kMethods = {.iVersion = 2,
                                                  .xClose = &Close,
                                                  .xRead = &Read,
                                                  .xWrite = &Write,
                                                  .xTruncate = &Truncate,
                                                  .xSync = &Sync,
                                                  .xFileSize = &FileSize,
                                                  .xLock = &Lock,
                                                  .xUnlock = &Unlock,
                                                  .xCheckReservedLock = &CheckReservedLock,
                                                  .xFileControl = &FileControl,
                                                  .xSectorSize = &SectorSize,
                                                  .xDeviceCharacteristics = &Characteristics,
                                                  .xShmMap = &ShmMap,
                                                  .xShmLock = &ShmLock,
                                                  .xShmBarrier = &ShmBarrier,
                                                  .xShmUnmap = &ShmUnmap};

  sqlite3_vfs* base_;
  sqlite3_vfs vfs_;
  int good_ = std::numeric_limits<int>::max();
  int code_ = SQLITE_IOERR;
  int failures_ = 0;
  std::function<void()> look_;
};

}  // namespace lmbroker
