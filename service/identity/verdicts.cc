#include "service/identity/verdicts.h"

#include <utility>

namespace lmbroker::identity {
namespace {

constexpr std::size_t kHalf = 2048;

}  // namespace

const Verdict* Verdicts::Find(const crypto::Digest& token) {
  Entry* entry = nullptr;
  if (const auto found = recent_.find(token); found != recent_.end()) {
    entry = &found->second;
  } else if (auto old = older_.extract(token)) {
    entry = &Keep(token, std::move(old.mapped()));
  }
  if (entry == nullptr) return nullptr;
  if (clock_.Now() < entry->until.time && clock_.Monotonic() < entry->until.monotonic) return &entry->verdict;
  recent_.erase(token);
  return nullptr;
}

void Verdicts::Add(const crypto::Digest& token, Verdict verdict, const Until& until) {
  older_.erase(token);
  recent_.erase(token);
  Keep(token, {.verdict = std::move(verdict), .until = until});
}

void Verdicts::Clear() {
  recent_.clear();
  older_.clear();
}

Verdicts::Entry& Verdicts::Keep(const crypto::Digest& token, Entry entry) {
  if (recent_.size() >= kHalf) {
    older_ = std::move(recent_);
    recent_.clear();
  }
  return recent_.emplace(token, std::move(entry)).first->second;
}

}  // namespace lmbroker::identity
