#include "service/audit/open_intents.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>

#include "service/audit/line.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

// What is learned on the way from the last record to the first.
class Search {
 public:
  explicit Search(std::size_t most_bytes) : left_(most_bytes) {}

  bool Visit(const ChainedLine& line) {
    if (line.text.size() > left_) return false;
    left_ -= line.text.size();
    if (line.kind == KindName(Kind::kOutcome)) {
      ended_.insert(std::string(line.id()));
    } else if (line.kind == KindName(Kind::kIntent)) {
      if (const auto ended = ended_.find(line.id()); ended != ended_.end()) {
        ended_.erase(ended);
      } else {
        open_.emplace_back(line.text);
      }
    }
    // A start that was to close intents, and died before it had, leaves them to the next.
    return line.kind != KindName(Kind::kStart) || ended_.size() < ReadClosed(line);
  }

  std::vector<std::string> Take() {
    std::reverse(open_.begin(), open_.end());
    return std::move(open_);
  }

 private:
  std::size_t left_;
  std::set<std::string, std::less<>> ended_;  // whose intent is still to come
  std::vector<std::string> open_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> FindOpenIntents(const Sink& sink, std::size_t most_bytes) {
  Search search(most_bytes);
  RETURN_IF_ERROR(sink.ReadBack([&](const ChainedLine& line) { return search.Visit(line); }));
  return search.Take();
}

}  // namespace lmbroker::audit
