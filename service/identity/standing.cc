#include "service/identity/standing.h"

#include <algorithm>
#include <utility>

#include "service/base/error.h"
#include "service/identity/pem.h"

namespace lmbroker::identity {
namespace {

constexpr std::size_t kMostKnown = 1024;

absl::Status Revoked(std::string_view what) {
  return Refuse(Reason::kNoIdentity,
                std::string(what) + " was revoked on this broker; ask its operators for another one.");
}

}  // namespace

void Standing::Put(std::shared_ptr<const Revocations> revocations) {
  const MutexLock lock(mutex_);
  rules_.revocations = std::move(revocations);
  Changed();
}

void Standing::Put(std::shared_ptr<const TrustDomains> trust) {
  const MutexLock lock(mutex_);
  rules_.trust = std::move(trust);
  known_.clear();
  Changed();
}

void Standing::Changed() {
  matters_.store(!rules_.revocations->empty() || rules_.trust != nullptr, std::memory_order_release);
}

Standing::Rules Standing::rules() const {
  const MutexLock lock(mutex_);
  return rules_;
}

absl::Status Standing::JudgeIdentity(const std::string& identity) const {
  return rules().revocations->HasIdentity(identity) ? Revoked("This identity") : absl::OkStatus();
}

absl::Status Standing::JudgeCertificate(const std::vector<std::string>& identities, const Certificate& certificate) {
  const Rules now = rules();
  const auto is_revoked = [&](const std::string& each) { return now.revocations->HasIdentity(each); };
  if (std::any_of(identities.begin(), identities.end(), is_revoked)) return Revoked("This identity");
  if (now.trust == nullptr && !now.revocations->has_serials()) return absl::OkStatus();
  const Known known = Recall(certificate(), identities.front(), now);
  if (now.revocations->HasSerial(known.serial)) return Revoked("The client certificate");
  return known.trusted;
}

Standing::Known Standing::Recall(const PresentedCertificate& certificate, const std::string& identity,
                                 const Rules& rules) {
  const absl::Time now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    const auto found = known_.find(certificate.leaf);
    if (found != known_.end() && now < found->second.until) return found->second;
  }
  Known known = Find(certificate, identity, rules);
  const MutexLock lock(mutex_);
  if (rules.trust != rules_.trust || !known.trusted.ok()) return known;
  if (known_.size() >= kMostKnown) known_.clear();
  known_.insert_or_assign(std::string(certificate.leaf), known);
  return known;
}

// All identities of a certificate are of one kind, so the first stands for all.
Standing::Known Standing::Find(const PresentedCertificate& certificate, const std::string& identity,
                               const Rules& rules) const {
  Known known{.until = absl::InfiniteFuture()};
  const auto leaf = ReadCertificates(certificate.leaf);
  if (!leaf.ok()) {
    known.trusted = Refuse(Reason::kNoIdentity, "The client certificate cannot be read; present another one.");
    return known;
  }
  known.serial = SerialOf(*leaf->front());
  if (rules.trust == nullptr) return known;
  const auto until = rules.trust->Verify(certificate.leaf, certificate.chain, identity, clock_.Now());
  known.trusted = until.status();
  if (until.ok()) known.until = *until;
  return known;
}

}  // namespace lmbroker::identity
