#pragma once

#include <atomic>
#include <cstddef>
#include <string_view>
#include <utility>

#include <absl/status/status.h>

namespace lmbroker {

// How many bytes may be held at a time, of what is counted against it (law 7). It counts; it allocates nothing. Safe
// for concurrent use. Must outlive its leases.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  std::size_t limit() const { return limit_; }
  std::size_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  friend class ByteLease;
  bool TryTake(std::size_t bytes);
  void Give(std::size_t bytes) { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

  const std::size_t limit_;
  std::atomic<std::size_t> taken_ = 0;
};

// A part of a budget, which its end gives back, once. One of no budget always finds room. For one thread at a time.
class ByteLease {
 public:
  ByteLease() = default;
  explicit ByteLease(ByteBudget& budget) : budget_(&budget) {}
  ByteLease(ByteLease&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  ByteLease& operator=(ByteLease&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~ByteLease() { TryResize(0); }

  // Makes it `bytes` large. False when there is no room for what is more; then it stays as it is.
  bool TryResize(std::size_t bytes);
  bool TryGrow(std::size_t more) { return TryResize(bytes_ + more); }

  std::size_t bytes() const { return bytes_; }

 private:
  ByteBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

// QUEUE_FULL: the memory that calls may hold has no room for `what`, e.g. "the portal's reply".
absl::Status NoRoomFor(std::string_view what);

}  // namespace lmbroker
