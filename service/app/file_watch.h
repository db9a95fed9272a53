#pragma once

#include <string>
#include <vector>

namespace lmbroker::app {

// Tells when files on disk are others than those that were read last, also when Kubernetes swaps a symbolic link above
// them. Looks at them with stat alone, so it costs microseconds. Not safe for concurrent use: its owner has the lock.
//
//   if (!watch.Changed()) return;
//   watch.Mark();  // before the reading: a change during it is seen the next time
//   … read …
class FileWatch {
 public:
  // The files, or directories, that belong together. They need not exist: a file that goes or comes has changed.
  explicit FileWatch(std::vector<std::string> paths);

  // Whether one of them is another than at the last Mark; true before the first, so that no change since the start of
  // the program is missed.
  bool Changed() const;
  // What is there now is about to be read.
  void Mark();

 private:
  std::string State() const;

  const std::vector<std::string> paths_;
  std::string marked_;  // the state at the last Mark; empty before the first
};

}  // namespace lmbroker::app
