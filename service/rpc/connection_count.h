#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <unordered_map>

#include "service/base/mutex.h"

namespace lmbroker::rpc {

// How many of the sockets that were handed to somebody else are open still. Nobody says when they are closed, so the
// kernel is asked: a socket is another one when its descriptor is closed or carries another inode. It is asked only
// when that matters, at the limit and by whoever reads the count. Safe for concurrent use.
class ConnectionCount {
 public:
  explicit ConnectionCount(std::size_t limit) : limit_(limit) {}

  // Counts an open socket, from before it is handed over. False beyond the limit.
  bool TryAdd(int socket);
  // How many are open.
  std::size_t Open();

 private:
  struct Inode {
    dev_t device;
    ino_t number;
    bool operator==(const Inode&) const = default;
  };
  static std::optional<Inode> InodeOf(int socket);
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t limit_;
  Mutex mutex_;
  std::unordered_map<int, Inode> sockets_ ABSL_GUARDED_BY(mutex_);  // by descriptor
};

}  // namespace lmbroker::rpc
