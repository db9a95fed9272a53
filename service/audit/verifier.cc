#include "service/audit/verifier.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/audit/checkpoint.h"
#include "service/audit/line.h"
#include "service/base/text.h"
#include "service/crypto/encoding.h"

namespace lmbroker::audit {
namespace {

// Many times what a broker can have under way.
constexpr std::size_t kMostOpen = 1'000'000;
constexpr std::size_t kMostNamed = 5;
constexpr std::size_t kMostNotes = 100;

}  // namespace

Verifier::Verifier(Options options) : options_(std::move(options)) {}

void Verifier::BeginFile(std::string_view name) {
  file_ = name;
  line_ = 1;
  // Only the newest file can end in the midst of a line.
  if (fragment_open_) Damage("the file before ends in the midst of a line");
}

void Verifier::Add(std::string_view bytes) {
  while (!bytes.empty() && !damaged()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (!too_long_ && text_.size() + part.size() > kMostLineBytes) {
      AddToFragment(text_);
      text_.clear();
      too_long_ = true;
    }
    if (too_long_) {
      fragment_digest_.Add(part);
      fragment_bytes_ += part.size();
    } else {
      text_ += part;
    }
    if (end == std::string_view::npos) return;
    EndLine();
    bytes.remove_prefix(end + 1);
  }
}

void Verifier::EndLine() {
  if (!too_long_) {
    if (const auto record = ReadChained(text_); record.has_value()) {
      AddRecord(*record);
    } else {
      AddToFragment(text_);
    }
  }
  text_.clear();
  too_long_ = false;
  ++line_;
}

void Verifier::EndFile() {
  if (text_.empty() && !too_long_) return;
  if (!too_long_) AddToFragment(text_);
  text_.clear();
  too_long_ = false;
  fragment_open_ = true;
}

// Lines that are no records and follow each other are one fragment, without the newline of the last.
void Verifier::AddToFragment(std::string_view bytes) {
  if (in_fragment_) {
    fragment_digest_.Add("\n");
    ++fragment_bytes_;
  } else {
    fragment_line_ = line_;
  }
  in_fragment_ = true;
  fragment_digest_.Add(bytes);
  fragment_bytes_ += bytes.size();
}

void Verifier::AddRecord(const ChainedLine& record) {
  std::optional<Fragment> fragment;
  if (std::exchange(in_fragment_, false)) {
    fragment = {.bytes = std::exchange(fragment_bytes_, 0),
                .digest = crypto::EncodeHex(crypto::Bytes(fragment_digest_.Take()))};
  }
  Follow(record, fragment);
  CheckHead(record);
  CheckMark(record);
  NoteIntent(record);
  if (findings_.records++ == 0) findings_.first = record.seq;
  findings_.last = record.seq;
  last_ = record.link();
}

void Verifier::Follow(const ChainedLine& record, const std::optional<Fragment>& fragment) {
  const bool begins_later = findings_.records == 0 && record.seq > 1;
  if (begins_later) {
    findings_.notes.push_back(
        fmt::format("{} begins with record {}: what came before is not checked", file_, record.seq));
    last_ = {.seq = record.seq - 1, .hash = std::string(record.prev)};
  }
  const bool follows = record.seq == last_.seq + 1 && record.prev == last_.hash;
  const bool is_mark = record.kind == KindName(Kind::kStart) || record.kind == KindName(Kind::kGap);
  if (follows && !fragment.has_value() && !is_mark) return;
  if (is_mark && IsResumed(record, fragment)) return;
  SayWhatIsWrong(record, fragment.has_value());
}

// Whether what a start or gap record says of this file's sink is what is found in the file.
bool Verifier::IsResumed(const ChainedLine& record, const std::optional<Fragment>& fragment) {
  const auto resumptions = ReadResumptions(record);
  if (!resumptions.has_value()) return false;
  const bool follows = record.seq == last_.seq + 1 && record.prev == last_.hash;
  const bool begins_later = findings_.records == 0 && record.seq > 1;  // then nobody knows what was before
  bool told_otherwise = false;
  for (const Resumption& resumption : *resumptions) {
    const bool is_ours = IsOfThisFile(resumption.sink);
    const bool fits = (begins_later || resumption.last == last_) && resumption.fragment == fragment;
    if (follows && fits) return true;
    if (is_ours && fits && record.seq > last_.seq + 1) {
      if (findings_.notes.size() < kMostNotes) {
        findings_.notes.push_back(
            fmt::format("records {} to {} are missing in {}: record {} says that this sink had "
                        "missed them; look for them in another one",
                        last_.seq + 1, record.seq - 1, file_, record.seq));
      }
      return true;
    }
    told_otherwise = told_otherwise || is_ours;
  }
  return follows && !fragment.has_value() && !told_otherwise;
}

// "audit.jsonl" and "audit.jsonl.7" are files of the sink "audit.jsonl".
bool Verifier::IsOfThisFile(std::string_view sink) const {
  std::string_view name = file_;
  name.remove_prefix(name.rfind('/') + 1);
  if (!name.starts_with(sink)) return false;
  name.remove_prefix(sink.size());
  if (name.empty()) return true;
  return name.size() > 1 && name.front() == '.' &&
         std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void Verifier::SayWhatIsWrong(const ChainedLine& record, bool fragment) {
  if (fragment) {
    line_ = fragment_line_;
    Damage(
        fmt::format("is no whole record, and record {} behind it does not say so: changed or inserted, or record {} "
                    "was",
                    record.seq, record.seq));
  } else if (record.seq == last_.seq) {
    Damage(fmt::format("record {} comes twice", record.seq));
  } else if (record.seq < last_.seq) {
    Damage(fmt::format("record {} comes after record {}", record.seq, last_.seq));
  } else if (record.seq > last_.seq + 1) {
    Damage(fmt::format("records {} to {} are missing before record {}", last_.seq + 1, record.seq - 1, record.seq));
  } else if (record.prev != last_.hash) {
    Damage(
        fmt::format("record {} does not follow record {} as it stands here: one of them is another chain's, or was "
                    "changed",
                    record.seq, last_.seq));
  } else {
    Damage(fmt::format("record {} says of this file what is not so: something before it was changed or removed",
                       record.seq));
  }
}

void Verifier::CheckMark(const ChainedLine& record) {
  if (record.kind != KindName(Kind::kCheckpoint)) return;
  ++findings_.checkpoints;
  if (!options_.key.has_value() || IsSignedBy(record, *options_.key)) return;
  const std::string id = KeyIdOf(record);
  Damage(id == options_.key->fingerprint() ? fmt::format("checkpoint {} has a false signature", record.seq)
                                           : fmt::format("checkpoint {} is not signed with the given key but with {}",
                                                         record.seq, id.empty() ? "none" : Excerpt(id)));
}

void Verifier::NoteIntent(const ChainedLine& record) {
  if (record.kind == KindName(Kind::kOutcome)) {
    open_.erase(std::string(record.id()));
  } else if (record.kind == KindName(Kind::kIntent)) {
    open_overflowed_ = open_overflowed_ || open_.size() >= kMostOpen;
    if (!open_overflowed_) open_.insert(std::string(record.id()));
  }
}

void Verifier::CheckHead(const ChainedLine& record) {
  if (!options_.head.has_value()) return;
  const Link& head = options_.head->last;
  if (record.seq == head.seq) {
    head_found_ = record.hash == head.hash;
    if (!head_found_) Damage(fmt::format("record {} is not the one that the head knows", record.seq));
  } else if (findings_.records == 0 && record.seq == head.seq + 1) {
    head_found_ = record.prev == head.hash;
    if (!head_found_) Damage(fmt::format("record {} does not follow the one that the head knows", record.seq));
  }
}

Findings Verifier::Finish() {
  if (in_fragment_ && !fragment_open_) {
    line_ = fragment_line_;
    Damage("is no whole record: changed or inserted");
  } else if (in_fragment_) {
    findings_.notes.push_back(fmt::format(
        "{} ends in the midst of a line: a write was cut short, or is under way; the next start accounts for it",
        file_));
  }
  FinishHead();
  FinishIntents();
  if (!options_.key.has_value()) {
    findings_.notes.emplace_back(
        "signatures were not checked: without --key, the files may be made by whoever can write them");
  }
  return std::move(findings_);
}

void Verifier::FinishHead() {
  if (!options_.head.has_value()) return;
  const Head& head = *options_.head;
  line_ = 0;
  const auto checkpoint = ReadChained(head.text);
  if (options_.key.has_value() && (!checkpoint.has_value() || !IsSignedBy(*checkpoint, *options_.key))) {
    Damage("the head is not signed with the given key");
  }
  if (head_found_) return;
  if (last_.seq < head.last.seq) {
    Damage(fmt::format("ends with record {}, but the head knows record {}: records were cut off", last_.seq,
                       head.last.seq));
  } else {
    Damage(fmt::format("does not have record {}, which the head knows: give the file that has it, too", head.last.seq));
  }
}

void Verifier::FinishIntents() {
  if (open_.empty()) return;
  std::vector<std::string> ids(open_.begin(), open_.end());
  std::sort(ids.begin(), ids.end());
  std::string named;
  for (std::size_t i = 0; i < std::min(ids.size(), kMostNamed); ++i) named += (i == 0 ? "" : ", ") + Excerpt(ids[i]);
  findings_.notes.push_back(fmt::format("{}{} intents have no outcome: {}{}", open_overflowed_ ? "more than " : "",
                                        ids.size(), named, ids.size() > kMostNamed ? ", …" : ""));
}

void Verifier::Damage(std::string_view what) {
  if (damaged()) return;
  findings_.damage = line_ == 0 ? fmt::format("{}: {}", file_, what) : fmt::format("{}:{}: {}", file_, line_, what);
}

}  // namespace lmbroker::audit
