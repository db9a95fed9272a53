#pragma once

// The head file: the latest checkpoint, kept apart from the records, so that a tail that was cut off is missed. Its
// text is the line of that checkpoint.

#include <optional>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/audit/chain.h"
#include "service/audit/sink.h"
#include "service/base/log.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// A checkpoint as a head file says it.
struct Head {
  std::string text;  // the line without its newline
  Link last;         // of the checkpoint
  std::string prev;

  // INVALID_ARGUMENT when the text is no line of a checkpoint.
  static absl::StatusOr<Head> Parse(std::string_view text);
};

// Nothing when there is no such file. FAILED_PRECONDITION when it cannot be read or is no head.
absl::StatusOr<std::optional<Head>> ReadHead(const std::string& path);

// Whether the records that `sink` holds go up to the checkpoint of `head` at least, and have it. FAILED_PRECONDITION
// with what is wrong otherwise.
absl::Status CheckAgainstHead(const Sink& sink, const Head& head);

// Writes the head file, on a thread of its own: its disk holds up no record. The newest line wins. What cannot be
// written is said in the log, and tried again with the next one.
class HeadKeeper {
 public:
  HeadKeeper(std::string path, Logger& logger);
  // Writes what is left.
  ~HeadKeeper();
  HeadKeeper(const HeadKeeper&) = delete;
  HeadKeeper& operator=(const HeadKeeper&) = delete;

  void Put(std::string line);

 private:
  void Work();

  const std::string path_;
  Logger& logger_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::optional<std::string> next_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lmbroker::audit
