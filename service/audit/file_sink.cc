#include "service/audit/file_sink.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "service/audit/backward_lines.h"
#include "service/audit/file_ending.h"
#include "service/audit/line.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

constexpr absl::Duration kRotationRetry = absl::Minutes(1);

std::string DirectoryOf(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

// The line at the start of `lines`, without its newline.
std::string_view FirstLine(std::string_view lines) { return lines.substr(0, lines.find('\n')); }

// Shows a file's records from the last to the first; whether the visitor wants more.
absl::StatusOr<bool> ReadFileBack(const FileSystem& files, const std::string& path, const Sink::Visitor& visit) {
  ASSIGN_OR_RETURN(const std::uint64_t size, files.SizeOf(path));
  BackwardLines lines(files, path, size);
  while (true) {
    ASSIGN_OR_RETURN(const auto line, lines.Next());
    if (!line.has_value()) return true;
    const auto record = ReadChained(line->text);
    if (record.has_value() && !visit(*record)) return false;
  }
}

}  // namespace

FileSink::FileSink(Options options, FileSystem& files, const Clock& clock, Logger& logger)
    : options_(std::move(options)),
      directory_(DirectoryOf(options_.path)),
      name_(std::filesystem::path(options_.path).filename().string()),
      files_(files),
      clock_(clock),
      logger_(logger) {}

absl::StatusOr<std::unique_ptr<FileSink>> FileSink::Open(Options options, FileSystem& files, const Clock& clock,
                                                         Logger& logger) {
  std::unique_ptr<FileSink> sink(new FileSink(std::move(options), files, clock, logger));
  RETURN_IF_ERROR(sink->FindLast());
  RETURN_IF_ERROR(sink->OpenFile(/*begun=*/""));
  return sink;
}

absl::Status FileSink::FindLast() {
  absl::StatusOr<FileEnding> ending = ReadEnding(files_, options_.path);
  if (absl::IsNotFound(ending.status())) ending = FileEnding{};
  RETURN_IF_ERROR(ending.status());
  if (!ending->last.has_value()) {  // new, or the last run ended between a rotation and its first record
    ASSIGN_OR_RETURN(const std::vector<std::string> rotated, Rotated());
    if (!rotated.empty()) {
      ASSIGN_OR_RETURN(const FileEnding before, ReadEnding(files_, rotated.front()));
      ending->last = before.last;
    }
  }
  if (!ending->last.has_value() && !ending->fragment.has_value()) return absl::OkStatus();
  found_ = {.sink = name_, .last = ending->last.value_or(Link{}), .fragment = ending->fragment};
  return absl::OkStatus();
}

std::optional<Resumption> FileSink::Found() const { return found_; }

// The paths of the rotated files, the newest first.
absl::StatusOr<std::vector<std::string>> FileSink::Rotated() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(directory_));
  const std::string prefix = name_ + ".";
  std::vector<std::uint64_t> firsts;
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    std::uint64_t seq = 0;
    const char* const end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, seq);
    if (parsed.ec == std::errc() && parsed.ptr == end && seq > 0) firsts.push_back(seq);
  }
  std::sort(firsts.begin(), firsts.end(), std::greater<>());
  std::vector<std::string> paths;
  paths.reserve(firsts.size());
  for (const std::uint64_t first : firsts) paths.push_back(fmt::format("{}.{}", options_.path, first));
  return paths;
}

absl::Status FileSink::ReadBack(const Visitor& visit) const {
  ASSIGN_OR_RETURN(std::vector<std::string> paths, Rotated());
  paths.insert(paths.begin(), options_.path);
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const bool more, ReadFileBack(files_, path, visit));
    if (!more) break;
  }
  return absl::OkStatus();
}

Sink::Taken FileSink::Append(std::string_view lines) {
  if (absl::Status ready = EnsureFile(lines); !ready.ok()) return {.bytes = 0, .status = std::move(ready)};
  return WriteOut(lines);
}

absl::Status FileSink::EnsureFile(std::string_view lines) {
  if (file_ != nullptr) {
    const absl::StatusOr<FileId> current = files_.Identify(options_.path);
    if (current.ok() && *current == file_->Id()) return absl::OkStatus();
    logger_.Warn("audit_file_replaced", {{"path", options_.path}});
    (void)file_->Sync();  // somebody may keep it under another name; nothing is lost if it fails that was not lost
    file_.reset();
  }
  return OpenFile(lines.substr(0, begun_));
}

// `begun` is what an earlier try left at the end of the file and could not take back: the beginning of the next line.
absl::Status FileSink::OpenFile(std::string_view begun) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.OpenForAppend(options_.path));
  ASSIGN_OR_RETURN(size_, file->Size());
  if (size_ == 0) {
    RETURN_IF_ERROR(files_.SyncDirectory(directory_));
    first_seq_.reset();
    begun_ = 0;
  } else {
    RETURN_IF_ERROR(ReadFirst());
    RETURN_IF_ERROR(CloseFragment(*file, file->Id() == last_id_ ? begun : ""));
  }
  last_id_ = file->Id();
  file_ = std::move(file);
  return absl::OkStatus();
}

absl::Status FileSink::ReadFirst() {
  ASSIGN_OR_RETURN(const std::string head, files_.Read(options_.path, 0, kMostLineBytes));
  const auto first = ReadChained(FirstLine(head));
  first_seq_ = first.has_value() ? std::optional(first->seq) : std::nullopt;
  first_time_ = (first.has_value() ? ReadTime(*first) : std::nullopt).value_or(clock_.Now());
  return absl::OkStatus();
}

// What was begun is gone on with; any other fragment ends with a newline before a record follows.
absl::Status FileSink::CloseFragment(File& file, std::string_view begun) {
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(size_, begun.size() + 1);
  ASSIGN_OR_RETURN(const std::string tail, files_.Read(options_.path, size_ - tail_bytes, tail_bytes));
  if (!begun.empty() && (tail == begun || tail == "\n" + std::string(begun))) return absl::OkStatus();
  begun_ = 0;
  if (tail.ends_with('\n')) return absl::OkStatus();
  logger_.Warn("audit_fragment_closed", {{"path", options_.path}});
  RETURN_IF_ERROR(file.Append("\n").status());
  ++size_;
  return absl::OkStatus();
}

bool FileSink::IsFull() const {
  if (file_ == nullptr || !first_seq_.has_value() || clock_.Now() < next_rotation_) return false;
  return (options_.rotate_bytes > 0 && size_ >= options_.rotate_bytes) ||
         clock_.Now() - first_time_ >= options_.rotate_every;
}

absl::Status FileSink::Rotate() {
  RETURN_IF_ERROR(Sync());
  const absl::Status renamed =
      files_.Rename(options_.path, fmt::format("{}.{}", options_.path, first_seq_.value_or(0)));
  if (!renamed.ok()) {
    logger_.Error("audit_rotation_failed", {{"error", renamed.ToString()}});
    next_rotation_ = clock_.Now() + kRotationRetry;
    return absl::OkStatus();
  }
  file_.reset();
  RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  return OpenFile(/*begun=*/"");
}

Sink::Taken FileSink::WriteOut(std::string_view lines) {
  std::size_t written = begun_;
  absl::Status status;
  while (status.ok() && written < lines.size()) {
    const absl::StatusOr<std::size_t> count = file_->Append(lines.substr(written));
    status = count.status();
    if (count.ok()) written += *count;
  }
  size_ += written - begun_;
  const std::size_t whole = written == 0 ? 0 : lines.rfind('\n', written - 1) + 1;
  begun_ = whole < written && !MendFragment(written - whole) ? written - whole : 0;
  if (whole > 0 && !first_seq_.has_value()) {
    const auto first = ReadChained(FirstLine(lines));
    if (first.has_value()) first_seq_ = first->seq;
    first_time_ = clock_.Now();
  }
  if (!status.ok()) file_.reset();
  return {.bytes = whole, .status = std::move(status)};
}

// Takes the beginning of a line back off the file.
bool FileSink::MendFragment(std::size_t bytes) {
  const absl::StatusOr<std::uint64_t> size = file_->Size();
  if (!size.ok() || *size < bytes || !file_->Truncate(*size - bytes).ok()) return false;
  size_ = *size - bytes;
  return true;
}

absl::Status FileSink::Sync() {
  if (file_ == nullptr) RETURN_IF_ERROR(OpenFile(/*begun=*/""));
  const absl::Status status = file_->Sync();
  // The kernel forgets which pages it could not write, so a second fdatasync would lie; only new writes tell again.
  if (!status.ok()) file_.reset();
  return status;
}

}  // namespace lmbroker::audit
