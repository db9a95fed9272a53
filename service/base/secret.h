#pragma once

#include <cstddef>
#include <ostream>
#include <string_view>

#include <absl/status/status.h>

namespace lmbroker {

// Key bytes. Cannot be copied, printed, formatted or serialised; lives in OpenSSL's secure heap (locked, left out of
// core files) once SecureHeap::Open succeeded, and is wiped when it dies or is moved from. Every reading is found by
// the name Reveal. Not synchronised: const access from several threads is safe.
class Secret {
 public:
  Secret() = default;
  // Copies `bytes`; wiping the source is the caller's part (see Wipe).
  explicit Secret(std::string_view bytes);
  // An empty buffer of `size` zero bytes, to be filled through data().
  static Secret WithSize(std::size_t size);

  ~Secret();
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // The bytes, valid as long as this object. Never store, log or format what this returns.
  std::string_view Reveal() const { return {data_, size_}; }
  // A second holder of the same bytes. Named, so that copies of keys are found by search.
  Secret Duplicate() const { return Secret(Reveal()); }
  char* data() { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Constant time in the content (not in the length).
  friend bool operator==(const Secret& a, const Secret& b);
  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Overwrites `size` bytes at `data` in a way that the compiler keeps.
void Wipe(void* data, std::size_t size);

// Sets OpenSSL's secure heap up for the whole process, as large as can be locked: `most` bytes, or half of it, and so
// on down to `least` (powers of two), below which it fails. Call once, in main, before threads. Until then Secret uses
// the ordinary heap (and still wipes), which is what unit tests do.
absl::Status OpenSecureHeap(std::size_t most, std::size_t least);

// The part of the secure heap that is in use, 0 to 1; 0 while there is none. Secret ends the process when it is full,
// so whoever keeps secrets for long asks first. Safe for concurrent use.
double SecureHeapUse();

}  // namespace lmbroker
