#include "service/audit/journal.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/audit/line.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

// Holds the last whole line and a fragment behind it, whatever their length.
constexpr std::size_t kTailBytes = 3 * kMostLineBytes;

constexpr absl::Duration kRotationRetry = absl::Minutes(1);

std::string DirectoryOf(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

bool EndsInFragment(std::string_view data) { return !data.empty() && data.back() != '\n'; }

}  // namespace

Journal::Journal(Options options, FileSystem& files, const Clock& clock, Logger& logger)
    : options_(std::move(options)),
      directory_(DirectoryOf(options_.path)),
      files_(files),
      clock_(clock),
      logger_(logger) {}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(Options options, FileSystem& files, const Clock& clock,
                                                       Logger& logger) {
  std::unique_ptr<Journal> journal(new Journal(std::move(options), files, clock, logger));
  RETURN_IF_ERROR(journal->FindLastSeq());
  RETURN_IF_ERROR(journal->OpenFile());
  return journal;
}

absl::Status Journal::FindLastSeq() {
  absl::StatusOr<std::uint64_t> seq = LastSeqOf(options_.path);
  if (absl::IsNotFound(seq.status())) {  // new, or the last run ended between a rotation and its first record
    ASSIGN_OR_RETURN(const std::string rotated, NewestRotated());
    seq = rotated.empty() ? 0 : LastSeqOf(rotated);
  }
  RETURN_IF_ERROR(seq.status());
  last_written_ = last_numbered_ = *seq;
  return absl::OkStatus();
}

// NOT_FOUND when there is no file, or no line in it.
absl::StatusOr<std::uint64_t> Journal::LastSeqOf(const std::string& path) const {
  ASSIGN_OR_RETURN(const std::string tail, files_.ReadTail(path, kTailBytes));
  std::string_view rest(tail);
  if (rest.find('\n') == std::string_view::npos && rest.size() < kTailBytes) {
    return absl::NotFoundError(fmt::format("{} has no line", path));
  }
  while (true) {
    const std::size_t end = rest.rfind('\n');
    if (end == std::string_view::npos) break;
    rest = rest.substr(0, end);
    const std::size_t before = rest.rfind('\n');
    const auto place = ReadPlace(before == std::string_view::npos ? rest : rest.substr(before + 1));
    if (place.has_value()) return place->seq;
  }
  return absl::FailedPreconditionError(
      fmt::format("{} does not end in audit records; move it away if it is none of ours", path));
}

// Its path, or nothing when there is none.
absl::StatusOr<std::string> Journal::NewestRotated() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(directory_));
  const std::string prefix = std::filesystem::path(options_.path).filename().string() + ".";
  std::uint64_t newest = 0;
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    std::uint64_t seq = 0;
    const char* const end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, seq);
    if (parsed.ec == std::errc() && parsed.ptr == end) newest = std::max(newest, seq);
  }
  return newest == 0 ? std::string() : fmt::format("{}.{}", options_.path, newest);
}

absl::Status Journal::Append(std::string_view unnumbered) {
  Number(unnumbered);
  RETURN_IF_ERROR(EnsureFile());
  if (IsFull()) RETURN_IF_ERROR(Rotate());
  return WriteOut();
}

void Journal::Number(std::string_view unnumbered) {
  while (!unnumbered.empty()) {
    const std::size_t length = unnumbered.find('\n') + 1;
    AppendNumbered(unwritten_, ++last_numbered_, unnumbered.substr(0, length));
    unnumbered.remove_prefix(length);
  }
}

absl::Status Journal::EnsureFile() {
  if (file_ != nullptr) {
    const absl::StatusOr<FileId> current = files_.Identify(options_.path);
    if (current.ok() && *current == file_->Id()) return absl::OkStatus();
    logger_.Warn("audit_file_replaced", {{"path", options_.path}});
    (void)file_->Sync();  // somebody may keep it under another name; nothing is lost if it fails that was not lost
    file_.reset();
  }
  return OpenFile();
}

absl::Status Journal::OpenFile() {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.OpenForAppend(options_.path));
  ASSIGN_OR_RETURN(size_, file->Size());
  first_seq_ = last_written_ + 1;
  first_time_ = clock_.Now();
  if (size_ == 0) {
    RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  } else {
    ASSIGN_OR_RETURN(const std::string head, files_.ReadHead(options_.path, kMostLineBytes));
    const auto place = ReadPlace(std::string_view(head).substr(0, head.find('\n')));
    if (place.has_value()) {
      first_seq_ = place->seq;
      first_time_ = place->time;
    }
    ASSIGN_OR_RETURN(const std::string tail, files_.ReadTail(options_.path, 1));
    if (EndsInFragment(tail)) {
      logger_.Warn("audit_fragment_closed", {{"path", options_.path}});
      RETURN_IF_ERROR(file->Append("\n").status());
      ++size_;
      found_fragment_ = true;
    }
  }
  file_ = std::move(file);
  return absl::OkStatus();
}

bool Journal::IsFull() const {
  if (unwritten_.empty() || last_written_ < first_seq_ || clock_.Now() < next_rotation_) return false;
  return (options_.rotate_bytes > 0 && size_ >= options_.rotate_bytes) ||
         clock_.Now() - first_time_ >= options_.rotate_every;
}

// A rotation that fails is no reason to refuse records: the file goes on, and the next try is a minute later.
absl::Status Journal::Rotate() {
  RETURN_IF_ERROR(Sync());
  const absl::Status renamed = files_.Rename(options_.path, fmt::format("{}.{}", options_.path, first_seq_));
  if (!renamed.ok()) {
    logger_.Error("audit_rotation_failed", {{"error", renamed.ToString()}});
    next_rotation_ = clock_.Now() + kRotationRetry;
    return absl::OkStatus();
  }
  file_.reset();
  RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  return OpenFile();
}

absl::Status Journal::WriteOut() {
  std::size_t written = 0;
  absl::Status status;
  while (status.ok() && written < unwritten_.size()) {
    const absl::StatusOr<std::size_t> count = file_->Append(std::string_view(unwritten_).substr(written));
    status = count.status();
    if (count.ok()) written += *count;
  }
  size_ += written;
  const std::size_t whole = written == 0 ? 0 : unwritten_.rfind('\n', written - 1) + 1;
  if (whole < written) MendFragment(written - whole);
  last_written_ += static_cast<std::uint64_t>(
      std::count(unwritten_.begin(), unwritten_.begin() + static_cast<std::ptrdiff_t>(whole), '\n'));
  unwritten_.erase(0, whole);
  if (!status.ok()) file_.reset();
  return status;
}

// Takes the beginning of a line back off the file. If that fails, OpenFile closes the fragment at the next try.
void Journal::MendFragment(std::size_t bytes) {
  const absl::StatusOr<std::uint64_t> size = file_->Size();
  if (size.ok() && *size >= bytes) (void)file_->Truncate(*size - bytes);
}

absl::Status Journal::Sync() {
  if (file_ == nullptr) RETURN_IF_ERROR(OpenFile());
  const absl::Status status = file_->Sync();
  // The kernel forgets which pages it could not write, so a second fdatasync would lie; only new writes tell again.
  if (!status.ok()) file_.reset();
  return status;
}

}  // namespace lmbroker::audit
