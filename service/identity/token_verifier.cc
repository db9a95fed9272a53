#include "service/identity/token_verifier.h"

#include <utility>

#include "service/identity/bad_token.h"
#include "service/identity/token_check.h"

namespace lmbroker::identity {
namespace {

// Each holds its token in locked memory; strangers must leave some of that for keys and signatures.
constexpr std::size_t kMostQuestions = 128;
constexpr double kMostUseOfMemory = 0.85;
constexpr std::size_t kMostWaiting = 4096;
// For how long the cluster's word counts, from when it was asked.
constexpr absl::Duration kYesCounts = absl::Seconds(10);
constexpr absl::Duration kNoCounts = absl::Seconds(1);

absl::Status TooManyWait() {
  return Refuse(Reason::kQueueFull, "Too many calls wait for the cluster to judge their tokens; try again later.",
                {.retry_after = absl::Seconds(1)});
}

absl::Status UnknownKey(bool has_keys) {
  if (has_keys) return BadToken("names a key that its issuer does not publish");
  return BadToken("cannot be checked, because the broker could not fetch its issuer's keys yet",
                  {.retry_after = absl::Seconds(5)});
}

}  // namespace

TokenVerifier::TokenVerifier(TokenRules rules, Parts parts)
    : rules_(std::move(rules)), parts_(std::move(parts)), verdicts_(parts_.clock) {}

std::optional<Verdict> TokenVerifier::Judge(std::string_view token, Done done) {
  if (token.size() > kMostTokenBytes) return BadToken("has more than 8 KiB");
  FollowKeys();
  const crypto::Digest digest = crypto::Sha256(token);
  if (const Verdict* const known = verdicts_.Find(digest); known != nullptr) return *known;
  Step step = Check(token);
  if (step.next != Next::kNothing) return Ask(token, digest, step, std::move(done));
  if (step.verdict.ok()) verdicts_.Add(digest, step.verdict, {.time = (*step.verdict)->expire_time});
  return std::move(step.verdict);
}

void TokenVerifier::FollowKeys() {
  const std::uint64_t now = parts_.keys->generation();
  if (std::exchange(generation_, now) != now) verdicts_.Clear();
}

TokenVerifier::Step TokenVerifier::Check(std::string_view token) const {
  const auto jwt = Jwt::Parse(token);
  if (!jwt.ok()) return {.verdict = jwt.status()};
  const auto keys = parts_.keys->Get();
  const PublicKey* const key = keys == nullptr ? nullptr : keys->Find(jwt->key_id);
  if (key == nullptr) {
    return {.verdict = UnknownKey(keys != nullptr), .next = parts_.refresh == nullptr ? Next::kNothing : Next::kKeys};
  }
  auto account = CheckToken(*jwt, *key, rules_, parts_.clock.Now());
  if (!account.ok()) return {.verdict = account.status()};
  return {.verdict = std::make_shared<const ServiceAccount>(*std::move(account)),
          .next = parts_.review == nullptr ? Next::kNothing : Next::kReview};
}

std::optional<Verdict> TokenVerifier::Ask(std::string_view token, const crypto::Digest& digest, const Step& step,
                                          Done done) {
  if (step.next == Next::kKeys && !parts_.refresh->MayFetch()) return step.verdict;
  if (waiting_ >= kMostWaiting) return TooManyWait();
  if (const auto open = questions_.find(digest); open != questions_.end()) {
    open->second->waiting.push_back(std::move(done));
    ++waiting_;
    return std::nullopt;
  }
  if (questions_.size() >= kMostQuestions || SecureHeapUse() > kMostUseOfMemory) return TooManyWait();
  const auto question = std::make_shared<Question>(Question{.token = Secret(token), .digest = digest});
  question->waiting.push_back(std::move(done));
  ++waiting_;
  questions_.emplace(digest, question);
  if (step.next == Next::kReview) {
    StartReview(question, *step.verdict);
  } else {
    parts_.refresh->Refresh([self = shared_from_this(), question] { self->Continue(question); });
  }
  return std::nullopt;
}

// The keys were fetched again, or could not be: what they say now is the end of it.
void TokenVerifier::Continue(const std::shared_ptr<Question>& question) {
  const Step step = Check(question->token.Reveal());
  if (step.next == Next::kReview) return StartReview(question, *step.verdict);
  FollowKeys();
  if (step.verdict.ok()) verdicts_.Add(question->digest, step.verdict, {.time = (*step.verdict)->expire_time});
  Answer(question, step.verdict);
}

void TokenVerifier::StartReview(const std::shared_ptr<Question>& question,
                                const std::shared_ptr<const ServiceAccount>& account) {
  const absl::Duration began = parts_.clock.Monotonic();
  const std::uint64_t generation = parts_.keys->generation();
  const bool accepted = parts_.workers([self = shared_from_this(), question, account, began, generation] {
    const absl::Status reviewed = self->parts_.review(question->token, *account);
    const Verdict verdict = reviewed.ok() ? Verdict(account) : Verdict(reviewed);
    self->parts_.scheduler.Post([=] { self->EndReview(question, verdict, began, generation); });
  });
  if (!accepted)
    parts_.scheduler.Post([self = shared_from_this(), question] { self->Answer(question, TooManyWait()); });
}

void TokenVerifier::EndReview(const std::shared_ptr<Question>& question, const Verdict& verdict, absl::Duration began,
                              std::uint64_t generation) {
  FollowKeys();
  if (generation == generation_) {
    const absl::Time expires = verdict.ok() ? (*verdict)->expire_time : absl::InfiniteFuture();
    verdicts_.Add(question->digest, verdict,
                  {.time = expires, .monotonic = began + (verdict.ok() ? kYesCounts : kNoCounts)});
  }
  Answer(question, verdict);
}

void TokenVerifier::Answer(const std::shared_ptr<Question>& question, const Verdict& verdict) {
  questions_.erase(question->digest);
  waiting_ -= question->waiting.size();
  for (Done& done : std::exchange(question->waiting, {})) done(verdict);
}

}  // namespace lmbroker::identity
