#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "service/portal/budget.h"

namespace lmbroker::portal {

// Who waits for one budget: weighted fair queueing over callers (self-clocked: Golestani, INFOCOM 1994). As long as
// callers wait, each is served in proportion to its weight, and within a caller first come, first served. Who gives up
// costs its caller nothing. Reserved ones stand before all others. Not thread-safe.
//
// Virtual time is the turn of whoever was served last. The first of a caller has its turn 1/weight after virtual time
// as it stood when that one became the first; those behind it follow at the same distance.
template <class Item>
class FairQueue {
  struct Line;

 public:
  // Names one that waits.
  struct Place {
    Line* line = nullptr;
    std::uint64_t number = 0;
  };

  Place Push(std::string_view caller, int weight, Priority priority, Item item) {
    Line& line = priority == Priority::kReserved ? reserved_ : LineOf(caller);
    line.step = Step(weight);
    if (line.items.empty()) line.turn = now_ + line.step;
    line.items.emplace(++last_number_, std::move(item));
    ++size_;
    return {.line = &line, .number = last_number_};
  }
  // The one whose turn it is. Not on an empty queue.
  Item PopFirst() {
    Line& line = FirstLine();
    if (&line != &reserved_) {
      now_ = line.turn;
      line.turn += line.step;
    }
    return Remove(line, line.items.begin());
  }
  // The one who would be served last. Not on an empty queue.
  Item PopLast() {
    Line& line = LastLine();
    return Remove(line, std::prev(line.items.end()));
  }
  // Only for one that is in the queue.
  void Erase(const Place& place) { Remove(*place.line, place.line->items.find(place.number)); }
  // Takes those out for whom `leaves(priority, item)` says so; asked in the order of their turns.
  template <class Leaves>
  void EraseIf(Leaves leaves);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // Of the one whose turn it is. Not on an empty queue.
  Priority first_priority() const { return reserved_.items.empty() ? Priority::kNormal : Priority::kReserved; }

  // How many would be served before a newcomer, as things stand.
  std::size_t Ahead(std::string_view caller, int weight, Priority priority) const;
  // Whether a newcomer would be served last. Not on an empty queue.
  bool WouldBeLast(std::string_view caller, int weight, Priority priority) const {
    if (priority == Priority::kReserved) return lines_.empty();
    const Line& last = LastLine();
    return &last != &reserved_ && TurnOf(caller, weight) >= last.last_turn();
  }

 private:
  static constexpr std::uint64_t kStep = 1'000'000;  // of weight 1

  // Those of one caller.
  struct Line {
    std::uint64_t step = kStep;
    std::uint64_t turn = 0;               // of the first
    std::map<std::uint64_t, Item> items;  // by number: first come, first served

    std::uint64_t last_turn() const { return turn + step * (items.size() - 1); }
    std::uint64_t first_number() const { return items.begin()->first; }
  };

  static std::uint64_t Step(int weight) { return kStep / static_cast<std::uint64_t>(weight); }

  Line& LineOf(std::string_view caller) {
    const auto known = lines_.find(caller);
    return known != lines_.end() ? known->second : lines_.emplace(caller, Line{}).first->second;
  }
  // Of a newcomer.
  std::uint64_t TurnOf(std::string_view caller, int weight) const {
    const auto known = lines_.find(caller);
    return known != lines_.end() ? known->second.last_turn() + known->second.step : now_ + Step(weight);
  }
  Line& FirstLine() {
    if (!reserved_.items.empty()) return reserved_;
    return std::min_element(lines_.begin(), lines_.end(),
                            [](const auto& a, const auto& b) {
                              return std::pair(a.second.turn, a.second.first_number()) <
                                     std::pair(b.second.turn, b.second.first_number());
                            })
        ->second;
  }
  const Line& LastLine() const {
    if (lines_.empty()) return reserved_;
    return std::max_element(lines_.begin(), lines_.end(),
                            [](const auto& a, const auto& b) { return a.second.last_turn() < b.second.last_turn(); })
        ->second;
  }
  Line& LastLine() { return const_cast<Line&>(std::as_const(*this).LastLine()); }

  Item Remove(Line& line, typename std::map<std::uint64_t, Item>::iterator at) {
    Item item = std::move(at->second);
    line.items.erase(at);
    --size_;
    if (line.items.empty() && &line != &reserved_) {
      lines_.erase(
          std::find_if(lines_.begin(), lines_.end(), [&](const auto& entry) { return &entry.second == &line; }));
    }
    if (size_ == 0) now_ = 0;
    return item;
  }

  Line reserved_;
  std::map<std::string, Line, std::less<>> lines_;  // of callers that wait
  std::uint64_t now_ = 0;
  std::uint64_t last_number_ = 0;
  std::size_t size_ = 0;
};

template <class Item>
std::size_t FairQueue<Item>::Ahead(std::string_view caller, int weight, Priority priority) const {
  std::size_t ahead = reserved_.items.size();
  if (priority == Priority::kReserved) return ahead;
  const std::uint64_t turn = TurnOf(caller, weight);
  for (const auto& [name, line] : lines_) {
    if (line.turn > turn) continue;
    ahead += std::min<std::size_t>(line.items.size(), (turn - line.turn) / line.step + 1);
  }
  return ahead;
}

template <class Item>
template <class Leaves>
void FairQueue<Item>::EraseIf(Leaves leaves) {
  std::vector<std::tuple<std::uint64_t, std::uint64_t, Line*>> order;  // turn, number, line
  order.reserve(size_);
  for (const auto& [number, item] : reserved_.items) order.emplace_back(0, number, &reserved_);
  for (auto& [name, line] : lines_) {
    std::uint64_t turn = line.turn;
    for (const auto& [number, item] : line.items)
      order.emplace_back(std::exchange(turn, turn + line.step), number, &line);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [turn, number, line] : order) {
    const Priority priority = line == &reserved_ ? Priority::kReserved : Priority::kNormal;
    const auto at = line->items.find(number);
    if (leaves(priority, std::as_const(at->second))) Remove(*line, at);
  }
}

}  // namespace lmbroker::portal
