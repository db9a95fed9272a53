#include "service/audit/head.h"

#include <utility>

#include <fmt/format.h>

#include "service/audit/line.h"
#include "service/base/file.h"

namespace lmbroker::audit {
namespace {

constexpr mode_t kMode = 0600;

}  // namespace

absl::StatusOr<Head> Head::Parse(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto line = ReadChained(text);
  if (!line.has_value() || line->kind != KindName(Kind::kCheckpoint)) {
    return absl::InvalidArgumentError("is not the line of one checkpoint");
  }
  return Head{.text = std::string(text), .last = line->link(), .prev = std::string(line->prev)};
}

absl::StatusOr<std::optional<Head>> ReadHead(const std::string& path) {
  const auto text = ReadFile(path, kMostLineBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return absl::FailedPreconditionError(text.status().message());
  absl::StatusOr<Head> head = Head::Parse(*text);
  if (!head.ok()) {
    return absl::FailedPreconditionError(fmt::format("{} {}", path, std::string(head.status().message())));
  }
  return *std::move(head);
}

absl::Status CheckAgainstHead(const Sink& sink, const Head& head) {
  const std::uint64_t wanted = head.last.seq;
  std::optional<Link> newest;
  bool has_it = false;
  bool goes_on_from_it = false;  // the file with the checkpoint is elsewhere, and the next one begins right behind it
  absl::Status read = sink.ReadBack([&](const ChainedLine& line) {
    if (!newest.has_value()) newest = line.link();
    has_it = line.seq == wanted && line.hash == head.last.hash;
    goes_on_from_it = line.seq == wanted + 1 && line.prev == head.last.hash;
    return line.seq > wanted;
  });
  if (!read.ok()) return read;
  if (has_it || goes_on_from_it) return absl::OkStatus();
  if (newest.value_or(Link{}).seq < wanted) {
    return absl::FailedPreconditionError(fmt::format(
        "the audit in {} ends with record {}, but its head knows record {}: records were cut off or the files are "
        "not here; put them back, or, when their loss is understood, move the head file away",
        sink.name(), newest.value_or(Link{}).seq, wanted));
  }
  return absl::FailedPreconditionError(
      fmt::format("the audit in {} does not have record {} as its head knows it: it was changed, or is another "
                  "one's; find out with `lmbrokerd audit verify --head`, and move both away to begin anew",
                  sink.name(), wanted));
}

HeadKeeper::HeadKeeper(std::string path, Logger& logger)
    : path_(std::move(path)), logger_(logger), thread_([this] { Work(); }) {}

HeadKeeper::~HeadKeeper() {
  {
    const MutexLock lock(mutex_);
    closing_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void HeadKeeper::Put(std::string line) {
  const MutexLock lock(mutex_);
  next_ = std::move(line);
  changed_.notify_one();
}

void HeadKeeper::Work() {
  while (true) {
    std::string line;
    {
      const MutexLock lock(mutex_);
      while (!next_.has_value() && !closing_) changed_.wait(mutex_);
      if (!next_.has_value()) return;
      line = std::exchange(next_, std::nullopt).value_or("");
    }
    if (const absl::Status written = WriteFileAtomically(path_, line, kMode); !written.ok()) {
      logger_.Error("audit_head_failed", {{"error", written.ToString()}});
    }
  }
}

}  // namespace lmbroker::audit
