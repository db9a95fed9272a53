#include "service/rpc/connection_count.h"

#include <sys/stat.h>

namespace lmbroker::rpc {

std::optional<ConnectionCount::Inode> ConnectionCount::InodeOf(int socket) {
  struct stat status{};
  if (fstat(socket, &status) != 0) return std::nullopt;
  return Inode{.device = status.st_dev, .number = status.st_ino};
}

bool ConnectionCount::TryAdd(int socket) {
  const auto inode = InodeOf(socket);
  if (!inode.has_value()) return false;
  const MutexLock lock(mutex_);
  sockets_.erase(socket);  // one that had this number is closed
  if (sockets_.size() >= limit_) ForgetClosed();
  if (sockets_.size() >= limit_) return false;
  sockets_.emplace(socket, *inode);
  return true;
}

std::size_t ConnectionCount::Open() {
  const MutexLock lock(mutex_);
  ForgetClosed();
  return sockets_.size();
}

void ConnectionCount::ForgetClosed() {
  std::erase_if(sockets_, [](const auto& each) { return InodeOf(each.first) != each.second; });
}

}  // namespace lmbroker::rpc
