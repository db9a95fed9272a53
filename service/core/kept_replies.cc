#include "service/core/kept_replies.h"

#include <utility>

#include "service/core/read_key.h"

namespace lmbroker::core {
namespace {

constexpr std::size_t kMostOfAll = 8;  // no reply takes more than this part of the bytes
// What a row takes beside what it holds, roughly: nodes, pointers, the reply's own members.
constexpr std::size_t kRowBytes = 512;

std::size_t BytesOf(const std::string& key, const ForwardReply& reply) {
  std::size_t bytes = kRowBytes + key.size() + reply.body.capacity();
  for (const http::NameValue& header : reply.headers) bytes += sizeof header + header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

void KeptReplies::Put(const std::string& key, std::shared_ptr<const ForwardReply> reply, absl::Duration now,
                      absl::Duration time) {
  if (const auto old = rows_.find(key); old != rows_.end()) Erase(old);
  const std::size_t bytes = BytesOf(key, *reply);
  if (bytes > bounds_.bytes / kMostOfAll) return;
  const auto row = rows_.emplace(key, Row{std::move(reply), bytes, now, now + time, {}}).first;
  uses_.push_front(&row->first);
  row->second.use = uses_.begin();
  bytes_ += bytes;
  while (!uses_.empty()) {
    const auto last = rows_.find(*uses_.back());
    const bool is_over = bytes_ > bounds_.bytes || rows_.size() > bounds_.replies;
    if (!is_over && last->second.until > now) return;
    Erase(last);
  }
}

std::optional<KeptReplies::Kept> KeptReplies::Find(const std::string& key, absl::Duration now) {
  const auto found = rows_.find(key);
  if (found == rows_.end()) return std::nullopt;
  const Row& row = found->second;
  if (row.until <= now) {
    Erase(found);
    return std::nullopt;
  }
  uses_.splice(uses_.begin(), uses_, row.use);
  return Kept{.reply = row.reply, .age = now - row.came};
}

void KeptReplies::DropUnderWrite(const std::string& resource) {
  EraseUnderWrite(rows_, resource, [this](Rows::iterator row) { return Erase(row); });
}

KeptReplies::Rows::iterator KeptReplies::Erase(Rows::iterator row) {
  bytes_ -= row->second.bytes;
  uses_.erase(row->second.use);
  return rows_.erase(row);
}

}  // namespace lmbroker::core
