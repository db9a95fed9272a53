#include "service/policy/path_cells.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "service/policy/endpoints.h"

namespace lmbroker::policy {
namespace {

// Patterns in all states together, which bounds time and memory.
constexpr std::size_t kMostWork = 2'000'000;

using Positions = std::vector<std::size_t>;

// How far a path is on the way to users and roles.
enum class Account { kNo, kSetting, kYes };

bool IsSettingSegment(std::string_view segment) {
  return IsAccountWrite(http::Method::kPost, std::array{segment, std::string_view("admins")});
}

bool IsAccountSegment(std::string_view segment) {
  return IsAccountWrite(http::Method::kPost, std::array{std::string_view("setting"), segment});
}

Account After(Account before, std::size_t depth, std::string_view segment) {
  if (depth == 0) return IsSettingSegment(segment) ? Account::kSetting : Account::kNo;
  if (depth == 1) return before == Account::kSetting && IsAccountSegment(segment) ? Account::kYes : Account::kNo;
  return before;
}

// Walks through all patterns at once, a segment at a time, along every literal that some of them has there and along
// one that none has. Paths after which the same patterns are left have the same future, so one of them is followed.
class CellWalk {
 public:
  explicit CellWalk(const std::vector<const PathPattern*>& patterns) : patterns_(patterns) {}

  std::optional<std::vector<PathCell>> Run() {
    Positions all(patterns_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    Visit({.alive = std::move(all)});
    if (work_ > kMostWork) return std::nullopt;
    return std::move(cells_);
  }

 private:
  struct State {
    std::string path;
    std::size_t depth = 0;  // segments of the path
    Positions alive;        // patterns that match it so far
    Account account = Account::kNo;
  };
  using Key = std::tuple<std::size_t, Account, Positions>;

  void Visit(const State& state) {
    Emit(state);
    if (!HasMore(state)) return;
    std::map<std::string_view, Positions> named;
    Positions others;  // patterns that any segment continues
    for (const std::size_t i : state.alive) {
      const PathPattern& pattern = *patterns_[i];
      if (state.depth >= pattern.segments().size()) {
        if (pattern.any_rest()) others.push_back(i);
      } else if (pattern.segments()[state.depth] == PathPattern::kOne) {
        others.push_back(i);
      } else {
        named[pattern.segments()[state.depth]].push_back(i);
      }
    }
    for (const auto& [segment, positions] : named) {
      Positions alive;
      std::merge(positions.begin(), positions.end(), others.begin(), others.end(), std::back_inserter(alive));
      Step(state, segment, std::move(alive));
    }
    const auto is_new = [&](const std::string& segment) { return !named.contains(segment); };
    Step(state, NewSegment("any", is_new), others);
    if (state.depth == 0) Step(state, NewSegment("setting", is_new), others);
    if (state.account == Account::kSetting) Step(state, NewSegment("admins", is_new), others);
  }

  // Whether a longer path could match other patterns, or be another matter.
  bool HasMore(const State& state) const {
    return state.depth < 2 || std::any_of(
                                  state.alive.begin(), state.alive.end(),
                                  [&](std::size_t i) {
                                    return !patterns_[i]->any_rest() || state.depth <= patterns_[i]->segments().size();
                                  });
  }

  void Step(const State& from, std::string_view segment, Positions alive) {
    if (alive.empty() || IsSecretEndpoint(std::array{segment}) || work_ > kMostWork) return;
    State to{.path = from.path + "/" + std::string(segment),
             .depth = from.depth + 1,
             .alive = std::move(alive),
             .account = After(from.account, from.depth, segment)};
    if (!states_.emplace(to.depth, to.account, to.alive).second) return;
    work_ += to.alive.size();
    Visit(to);
  }

  void Emit(const State& state) {
    Positions matching;
    for (const std::size_t i : state.alive) {
      const std::size_t length = patterns_[i]->segments().size();
      if (patterns_[i]->any_rest() ? state.depth > length : state.depth == length) matching.push_back(i);
    }
    if (matching.empty() || state.depth == 0) return;
    auto path = http::CanonicalPath::Parse(state.path);
    if (!path.ok()) return;  // longer than a path may be
    if (!emitted_.emplace(state.account == Account::kYes, matching).second) return;
    cells_.push_back({*std::move(path), std::move(matching)});
  }

  // A segment that is none of the patterns' own: `word`, or `word` in another writing that means the same.
  template <class IsNew>
  static std::string NewSegment(std::string_view word, IsNew is_new) {
    std::string segment(word);
    if (is_new(segment)) return segment;
    if (IsSettingSegment(word)) {  // only its letter case may differ
      for (unsigned bits = 1; bits < 1U << word.size(); ++bits) {
        for (std::size_t i = 0; i < word.size(); ++i) {
          segment[i] = (bits >> i & 1U) != 0 ? static_cast<char>(word[i] - 'a' + 'A') : word[i];
        }
        if (is_new(segment)) return segment;
      }
    }
    for (int number = 2; !is_new(segment); ++number) segment = std::string(word) + "-" + std::to_string(number);
    return segment;
  }

  const std::vector<const PathPattern*>& patterns_;
  std::set<Key> states_;
  std::size_t work_ = 0;
  std::set<std::pair<bool, Positions>> emitted_;
  std::vector<PathCell> cells_;
};

}  // namespace

std::optional<std::vector<PathCell>> PathCellsOf(const std::vector<const PathPattern*>& patterns) {
  return CellWalk(patterns).Run();
}

}  // namespace lmbroker::policy
