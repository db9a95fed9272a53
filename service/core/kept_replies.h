#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <absl/time/time.h>

#include "service/core/forward_reply.h"

namespace lmbroker::core {

// Replies that may be served again, by read key (read_key.h), in bounded memory: those used last stay. Times are of
// Clock::Monotonic. Not safe for concurrent use.
class KeptReplies {
 public:
  struct Bounds {
    std::size_t bytes = 64 << 20;  // of all; a reply that takes more than an eighth is not kept
    std::size_t replies = 4096;
  };
  struct Kept {
    std::shared_ptr<const ForwardReply> reply;
    absl::Duration age;
  };

  explicit KeptReplies(const Bounds& bounds) : bounds_(bounds) {}

  // Keeps `reply`, which came at `now`, for `time`, in place of what was kept under the key.
  void Put(const std::string& key, std::shared_ptr<const ForwardReply> reply, absl::Duration now, absl::Duration time);
  // Nothing when there is none, or none that is young enough.
  std::optional<Kept> Find(const std::string& key, absl::Duration now);
  // Drops what a write to `resource` may have changed.
  void DropUnderWrite(const std::string& resource);

  std::size_t size() const { return rows_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  using Uses = std::list<const std::string*>;  // keys; the one used last comes first
  struct Row {
    std::shared_ptr<const ForwardReply> reply;
    std::size_t bytes = 0;
    absl::Duration came;
    absl::Duration until;
    Uses::iterator use;
  };
  using Rows = std::map<std::string, Row, std::less<>>;

  Rows::iterator Erase(Rows::iterator row);

  const Bounds bounds_;
  Rows rows_;
  Uses uses_;
  std::size_t bytes_ = 0;
};

}  // namespace lmbroker::core
