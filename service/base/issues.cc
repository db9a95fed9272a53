#include "service/base/issues.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

namespace lmbroker {

std::string Issue::ToString() const {
  std::string out = file;
  if (line > 0) out += fmt::format(":{}", line);
  if (!path.empty()) out += fmt::format(": {}", path);
  return out + fmt::format(": {}", problem);
}

void Issues::Add(std::string_view path, std::string_view problem) {
  if (!path.empty() && !paths_.emplace(path).second) return;
  all_.push_back({file_, LineOf(path), std::string(path), std::string(problem)});
}

void Issues::AddAtLine(int line, std::string_view problem) { all_.push_back({file_, line, "", std::string(problem)}); }

void Issues::Append(const Issues& other) { all_.insert(all_.end(), other.all_.begin(), other.all_.end()); }

std::string Issues::Text(std::size_t most) const {
  std::string text;
  for (std::size_t i = 0; i < std::min(most, all_.size()); ++i) text += (i == 0 ? "" : "\n") + all_[i].ToString();
  if (all_.size() > most) text += fmt::format("\n… and {} more", all_.size() - most);
  return text;
}

int Issues::LineOf(std::string_view path) const {
  while (true) {
    if (const auto found = lines_.find(path); found != lines_.end()) return found->second;
    const std::size_t end = path.find_last_of(".[");
    if (end == std::string_view::npos) return 0;
    path = path.substr(0, end);
  }
}

std::string ChildPath(std::string_view parent, std::string_view key) {
  return parent.empty() ? std::string(key) : fmt::format("{}.{}", parent, key);
}

std::string ItemPath(std::string_view parent, std::size_t index) { return fmt::format("{}[{}]", parent, index); }

}  // namespace lmbroker
