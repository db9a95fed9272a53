#include "service/app/file_watch.h"

#include <sys/stat.h>

#include <utility>

#include <fmt/format.h>

namespace lmbroker::app {
namespace {

// Tells one state of a file from another. The time of its last change of any kind is among them: nobody can set it, so
// it differs even where a tool keeps size and date.
std::string StateOf(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return "none;";
  return fmt::format("{}:{}:{}:{}.{}:{}.{};", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths) : paths_(std::move(paths)) {}

std::string FileWatch::State() const {
  std::string state;
  for (const std::string& path : paths_) state += StateOf(path);
  return state;
}

bool FileWatch::Changed() const { return State() != marked_; }

void FileWatch::Mark() { marked_ = State(); }

}  // namespace lmbroker::app
