#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/file.h"
#include "service/audit/sink.h"
#include "service/base/clock.h"
#include "service/base/log.h"

namespace lmbroker::audit {

// A file of the chain's lines: rotation and repair. What it promises of the file:
//   - A line is whole or, after a crash, a fragment that ends with a newline and is no record.
//   - A line is written once; a failure leaves it for the next try.
//   - A full file is renamed to PATH.SEQ, SEQ being its first record, and never overwrites another.
//   - A file that somebody removed, renamed or replaced is noticed at the next Append, and a new one begun.
class FileSink final : public Sink {
 public:
  struct Options {
    std::string path;                                        // its directory must exist
    std::uint64_t rotate_bytes = 0;                          // a file of this size is full; 0: never
    absl::Duration rotate_every = absl::InfiniteDuration();  // a file whose first record is so old is full
  };

  // Continues the file at `path`, or the newest rotated one when that has no record. Fails when it cannot be written,
  // another process has it, or what is in it are no records. The file system, clock and logger must outlive this.
  static absl::StatusOr<std::unique_ptr<FileSink>> Open(Options options, FileSystem& files, const Clock& clock,
                                                        Logger& logger);

  std::string_view name() const override { return name_; }
  Taken Append(std::string_view lines) override;
  absl::Status Sync() override;
  bool IsFull() const override;
  // A rotation that fails is no error: the file goes on, and is full again a minute later.
  absl::Status Rotate() override;
  std::optional<Resumption> Found() const override;
  absl::Status ReadBack(const Visitor& visit) const override;

 private:
  FileSink(Options options, FileSystem& files, const Clock& clock, Logger& logger);

  absl::Status FindLast();
  absl::StatusOr<std::vector<std::string>> Rotated() const;

  absl::Status EnsureFile(std::string_view lines);
  absl::Status OpenFile(std::string_view begun);
  absl::Status ReadFirst();
  absl::Status CloseFragment(File& file, std::string_view begun);
  Taken WriteOut(std::string_view lines);
  bool MendFragment(std::size_t bytes);

  const Options options_;
  const std::string directory_;
  const std::string name_;
  FileSystem& files_;
  const Clock& clock_;
  Logger& logger_;

  std::optional<Resumption> found_;
  std::unique_ptr<File> file_;                       // none after a failure, until the next try
  FileId last_id_;                                   // of the file that was open last
  std::optional<std::uint64_t> first_seq_;           // of the file's first record
  absl::Time first_time_;                            // of that
  std::uint64_t size_ = 0;                           // of the file
  std::size_t begun_ = 0;                            // bytes of the next line that could not be taken back
  absl::Time next_rotation_ = absl::InfinitePast();  // not before, after one that failed
};

}  // namespace lmbroker::audit
