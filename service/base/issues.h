#pragma once

// What is wrong with a file that an operator wrote: all of it at once, each problem with its place.

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lmbroker {

struct Issue {
  std::string file;
  int line = 0;         // from 1; 0: concerns the file as a whole
  std::string path;     // key path, e.g. "callers[0].forward[1].paths[0]"; may be empty
  std::string problem;  // e.g. "unknown key, did you mean paths?"

  // "policy.yaml:14: callers[0].forward[1].pathz: unknown key, did you mean paths?"
  std::string ToString() const;
};

// Collects the problems of one file. Not safe for concurrent use.
class Issues {
 public:
  explicit Issues(std::string file) : file_(std::move(file)) {}

  // Where the value at a key path stands, for the problems that are found later.
  void SetLine(std::string_view path, int line) { lines_.emplace(path, line); }

  // A problem of the value at `path`, placed at its line, or at that of the nearest value around it. The first problem
  // of a path is kept: later ones are mostly its consequences.
  void Add(std::string_view path, std::string_view problem);
  // A problem of a line, where no value could be read.
  void AddAtLine(int line, std::string_view problem);
  // Problems of another file that this one names.
  void Append(const Issues& other);

  // Whether the file has a value at this very path, be it good or bad.
  bool HasLine(std::string_view path) const { return lines_.contains(path); }

  bool empty() const { return all_.empty(); }
  const std::vector<Issue>& all() const { return all_; }
  // A problem a line; beyond `most` of them their number. For where text must be bounded.
  std::string Text(std::size_t most = 20) const;
  const std::string& file() const { return file_; }

 private:
  int LineOf(std::string_view path) const;

  std::string file_;
  std::map<std::string, int, std::less<>> lines_;
  std::set<std::string, std::less<>> paths_;
  std::vector<Issue> all_;
};

// "callers" + "name" → "callers.name"; an empty parent gives the key alone.
std::string ChildPath(std::string_view parent, std::string_view key);
// "callers" + 2 → "callers[2]".
std::string ItemPath(std::string_view parent, std::size_t index);

}  // namespace lmbroker
