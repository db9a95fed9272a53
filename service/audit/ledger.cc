#include "service/audit/ledger.h"

#include <utility>

#include "service/audit/marks.h"

namespace lmbroker::audit {

Ledger::Ledger(Pace pace, Link last, CheckpointSigner& signer, const Clock& clock)
    : pace_(pace), signer_(signer), clock_(clock), last_(std::move(last)) {}

void Ledger::Seal(std::string_view unnumbered, std::uint64_t records, TimePoint now) {
  records_ = records;
  std::string lines;
  lines.reserve(unnumbered.size() + unnumbered.size() / 2);
  while (!unnumbered.empty()) {
    const std::size_t length = unnumbered.find('\n') + 1;
    AppendChained(lines, unnumbered.substr(0, length), last_);
    unnumbered.remove_prefix(length);
    if (unchecked_++ == 0) next_checkpoint_ = now + pace_.every;
  }
  if (unchecked_ >= pace_.records || (unchecked_ > 0 && now >= next_checkpoint_)) AddCheckpoint(lines, now);
  Close(std::move(lines));
}

void Ledger::SealCheckpoint(TimePoint now) {
  if (unchecked_ == 0) return;
  std::string lines;
  AddCheckpoint(lines, now);
  Close(std::move(lines));
}

// Without a key the chain goes on, and the next try is as far away as the next checkpoint would be.
void Ledger::AddCheckpoint(std::string& lines, TimePoint now) {
  std::string unnumbered;
  next_checkpoint_ = now + pace_.every;
  if (!AppendCheckpoint(unnumbered, clock_.Now(), last_, signer_)) return;
  const std::size_t start = lines.size();
  AppendChained(lines, unnumbered, last_);
  checkpoint_ = lines.substr(start);
  checkpoint_index_ = last_index_ + 1;
  unchecked_ = 0;
  next_checkpoint_ = TimePoint::max();
}

void Ledger::Close(std::string lines) {
  if (lines.empty()) return;
  kept_bytes_ += lines.size();
  sealed_bytes_ += lines.size();
  segments_.push_back(std::make_shared<const Segment>(
      Segment{.index = ++last_index_, .records = records_, .lines = std::move(lines), .last = last_}));
}

std::shared_ptr<const Segment> Ledger::Next(std::string_view sink, Position& position, std::uint64_t most) {
  if (position.index >= most || position.index == last_index_) return nullptr;
  const std::uint64_t first = segments_.empty() ? last_index_ + 1 : segments_.front()->index;
  if (first > position.index + 1) {
    std::string gap;
    AppendGap(gap, clock_.Now(), {.sink = std::string(sink), .last = position.last, .fragment = std::nullopt});
    std::string lines;
    AppendChained(lines, gap, last_);
    if (unchecked_++ == 0) next_checkpoint_ = TimePoint::min();
    Close(std::move(lines));
    position.index = last_index_ - 1;
  }
  const auto& segment = segments_[position.index + 1 - segments_.front()->index];
  position = {.index = segment->index, .last = segment->last};
  return segment;
}

void Ledger::Forget(std::uint64_t taken_by_all, std::uint64_t taken_by_enough, std::size_t most_bytes) {
  while (!segments_.empty()) {
    const Segment& oldest = *segments_.front();
    const bool late = kept_bytes_ > most_bytes && oldest.index <= taken_by_enough;
    if (oldest.index > taken_by_all && !late) return;
    kept_bytes_ -= oldest.lines.size();
    segments_.pop_front();
  }
}

}  // namespace lmbroker::audit
