#include "service/store/counter_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "service/base/descriptor.h"
#include "service/base/error.h"
#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/crypto/private_file.h"
#include "service/store/row_bytes.h"
#include "service/store/store_id.h"

namespace lmbroker::store {
namespace {

constexpr std::string_view kMagic = "LMbkctr1";
constexpr std::size_t kSlotDistance = 4096;  // apart by the largest sector there is
constexpr std::size_t kFileBytes = 2 * kSlotDistance;
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kHashedBytes = kMagic.size() + kStoreIdBytes + kNumberBytes;
constexpr std::size_t kSlotBytes = kHashedBytes + kHashBytes;

std::string SlotOf(const StoreKey& key, std::string_view store_id, std::int64_t counter) {
  std::string slot(kMagic);
  slot += store_id;
  AppendNumber(slot, static_cast<std::uint64_t>(counter));
  slot += crypto::Bytes(key.OfCounter(slot));
  return slot;
}

// Nothing when it is not one that `key` made.
std::optional<CounterFile::Reading> ReadSlot(const StoreKey& key, std::string_view slot) {
  CounterFile::Reading reading{.state = CounterFile::State::kKnown,
                               .store_id = std::string(slot.substr(kMagic.size(), kStoreIdBytes))};
  reading.counter = static_cast<std::int64_t>(ReadNumber(slot.substr(kMagic.size() + kStoreIdBytes, kNumberBytes)));
  // Not a secret's comparison: whoever reads the file sees all of it.
  if (slot != SlotOf(key, reading.store_id, reading.counter)) return std::nullopt;
  return reading;
}

absl::Status CannotWrite(const std::string& path, int error) {
  return Refuse(Reason::kStoreUnavailable,
                fmt::format("The counter file of the broker's store, {}, cannot be written ({}); nothing was changed, "
                            "retry when its disk is well.",
                            path, std::generic_category().message(error)));
}

bool WriteSlot(int file, std::string_view slot, std::int64_t counter) {
  const auto at = static_cast<off_t>(static_cast<std::size_t>(counter % 2) * kSlotDistance);
  ssize_t written = 0;
  do {
    written = pwrite(file, slot.data(), slot.size(), at);
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(slot.size())) {
    if (written >= 0) errno = ENOSPC;
    return false;
  }
  return fdatasync(file) == 0;
}

}  // namespace

absl::StatusOr<CounterFile::Reading> CounterFile::Read(const StoreKey& key) const {
  struct stat facts{};
  if (stat(path_.c_str(), &facts) != 0 && errno == ENOENT) return Reading{};
  RETURN_IF_ERROR(crypto::CheckPrivateFile(path_));
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path_, kFileBytes));
  if (bytes.size() != kFileBytes) return Reading{.state = State::kForeign};
  if (std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; })) {
    return Reading{.state = State::kBlank};
  }
  std::optional<Reading> newest;
  for (const std::size_t at : {std::size_t{0}, kSlotDistance}) {
    std::optional<Reading> slot = ReadSlot(key, std::string_view(bytes).substr(at, kSlotBytes));
    if (slot.has_value() && (!newest.has_value() || slot->counter > newest->counter)) newest = std::move(slot);
  }
  return newest.value_or(Reading{.state = State::kForeign});
}

absl::Status CounterFile::MakeIfMissing() const {
  absl::Status made = crypto::CreatePrivateFile(path_, std::string(kFileBytes, '\0'));
  return absl::IsAlreadyExists(made) ? absl::OkStatus() : made;
}

absl::Status CounterFile::Write(const StoreKey& key, std::string_view store_id, std::int64_t counter) const {
  const std::string slot = SlotOf(key, store_id, counter);
  for (const bool again : {true, false}) {
    // Opened each time: a file that was replaced or removed meanwhile is noticed.
    const Descriptor file(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() >= 0) return WriteSlot(file.get(), slot, counter) ? absl::OkStatus() : CannotWrite(path_, errno);
    if (errno != ENOENT || !again) break;
    if (!MakeIfMissing().ok()) break;
  }
  return CannotWrite(path_, errno);
}

}  // namespace lmbroker::store
