#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/file.h"
#include "service/base/clock.h"
#include "service/base/log.h"

namespace lmbroker::audit {

// The file of JSON lines itself: numbers, rotation and repair. What it promises of the file:
//   - `seq` rises by one from line to line, over files and restarts.
//   - A line is whole or, after a crash or a full disk, a fragment that ends with a newline and is no record; the
//     number of a fragment is used again.
//   - A record handed to Append is written once, sooner or later, in order; a failure keeps it for the next try.
//   - A full file is renamed to PATH.SEQ, SEQ being its first record, and never overwrites another.
//   - A file that somebody removed, renamed or replaced is noticed at the next Append, and a new one begun.
// Blocks on the disk. Not synchronised: it belongs to the one thread that writes.
class Journal {
 public:
  struct Options {
    std::string path;                                        // its directory must exist
    std::uint64_t rotate_bytes = 0;                          // a file of this size is full; 0: never
    absl::Duration rotate_every = absl::InfiniteDuration();  // a file whose first record is so old is full
  };

  // Continues the file at `path`, or the newest rotated one when that has no record. Fails when it cannot be written,
  // another process has it, or what is in it are no records. The file system, clock and logger must outlive this.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(Options options, FileSystem& files, const Clock& clock,
                                                       Logger& logger);

  // Numbers `unnumbered` (lines made by AppendUnnumbered), and writes it behind what earlier calls left unwritten.
  absl::Status Append(std::string_view unnumbered);
  // Returns once everything written is on the disk.
  absl::Status Sync();

  // Bytes that were appended but could not be written yet.
  std::size_t unwritten_bytes() const { return unwritten_.size(); }
  // Whether Open found a fragment at the end of the file.
  bool found_fragment() const { return found_fragment_; }

 private:
  Journal(Options options, FileSystem& files, const Clock& clock, Logger& logger);

  absl::Status FindLastSeq();
  absl::StatusOr<std::uint64_t> LastSeqOf(const std::string& path) const;
  absl::StatusOr<std::string> NewestRotated() const;

  void Number(std::string_view unnumbered);
  absl::Status EnsureFile();
  absl::Status OpenFile();
  bool IsFull() const;
  absl::Status Rotate();
  absl::Status WriteOut();
  void MendFragment(std::size_t bytes);

  const Options options_;
  const std::string directory_;
  FileSystem& files_;
  const Clock& clock_;
  Logger& logger_;

  std::unique_ptr<File> file_;                       // none after a failure, until the next try
  std::uint64_t first_seq_ = 1;                      // of the file
  absl::Time first_time_;                            // of the file's first record
  std::uint64_t size_ = 0;                           // of the file
  std::uint64_t last_written_ = 0;                   // seq
  std::uint64_t last_numbered_ = 0;                  // seq
  std::string unwritten_;                            // numbered lines last_written_ + 1 … last_numbered_
  absl::Time next_rotation_ = absl::InfinitePast();  // not before, after one that failed
  bool found_fragment_ = false;
};

}  // namespace lmbroker::audit
