#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/scheduler.h"
#include "service/base/secret.h"
#include "service/identity/issuer_keys.h"
#include "service/identity/jwt.h"
#include "service/identity/key_refresh.h"
#include "service/identity/service_account.h"
#include "service/identity/verdicts.h"
#include "service/identity/workers.h"

namespace lmbroker::identity {

// Whose tokens callers bring: signature, issuer, audience and times, and where it is configured the cluster's own word.
// Its methods are called on the scheduler's thread; shared, because what it posted may outlive its owner.
class TokenVerifier : public std::enable_shared_from_this<TokenVerifier> {
 public:
  // Asks the cluster about a token whose check was good; BAD_TOKEN when it does not vouch for it, or does not answer.
  // May block.
  using Review = std::function<absl::Status(const Secret& token, const ServiceAccount& account)>;
  using Done = absl::AnyInvocable<void(Verdict)>;

  // Clock and scheduler must outlive what this has posted.
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;
    std::shared_ptr<IssuerKeys> keys;
    std::shared_ptr<KeyRefresh> refresh;  // null: the keys come from a file
    Review review;                        // none: the check alone decides
    Workers workers;                      // for the review
  };

  TokenVerifier(TokenRules rules, Parts parts);

  // The verdict on a token, BAD_TOKEN for a bad one. Nothing when the cluster must be asked first: then `done` is told,
  // later and once. Calls that bring one token share one question. QUEUE_FULL when too many wait.
  std::optional<Verdict> Judge(std::string_view token, Done done);

 private:
  // A token about which the cluster is asked.
  struct Question {
    Secret token;
    crypto::Digest digest;
    std::vector<Done> waiting;
  };
  // How far the broker comes by itself with a token, and what it would have to ask for.
  enum class Next { kNothing, kKeys, kReview };
  struct Step {
    Verdict verdict;
    Next next = Next::kNothing;
  };

  Step Check(std::string_view token) const;
  std::optional<Verdict> Ask(std::string_view token, const crypto::Digest& digest, const Step& step, Done done);
  void Continue(const std::shared_ptr<Question>& question);
  void StartReview(const std::shared_ptr<Question>& question, const std::shared_ptr<const ServiceAccount>& account);
  void EndReview(const std::shared_ptr<Question>& question, const Verdict& verdict, absl::Duration began,
                 std::uint64_t generation);
  void Answer(const std::shared_ptr<Question>& question, const Verdict& verdict);
  // Forgets what stands on keys that are in force no more.
  void FollowKeys();

  const TokenRules rules_;
  const Parts parts_;
  Verdicts verdicts_;
  std::uint64_t generation_ = 0;  // of the keys that the verdicts stand on
  std::unordered_map<crypto::Digest, std::shared_ptr<Question>, DigestHash> questions_;
  std::size_t waiting_ = 0;
};

}  // namespace lmbroker::identity
