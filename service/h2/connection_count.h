#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace lmbroker::h2 {

// How many connections are open, and no more than may be (law 7). Safe for concurrent use.
class ConnectionCount {
 public:
  // One of them, until its end; may outlive the count.
  class Place {
   public:
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (open_ != nullptr) open_->fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    friend class ConnectionCount;
    explicit Place(std::shared_ptr<std::atomic<std::size_t>> open) : open_(std::move(open)) {}
    std::shared_ptr<std::atomic<std::size_t>> open_;
  };

  explicit ConnectionCount(std::size_t limit) : limit_(limit) {}

  // Nothing beyond the limit.
  std::optional<Place> TryEnter();
  std::size_t open() const { return open_->load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  const std::shared_ptr<std::atomic<std::size_t>> open_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace lmbroker::h2
