#include "service/identity/key_refresh.h"

#include <algorithm>
#include <utility>

#include "service/base/text.h"

namespace lmbroker::identity {
namespace {

constexpr absl::Duration kRegular = absl::Minutes(5);
constexpr absl::Duration kBetween = absl::Seconds(5);
constexpr absl::Duration kMostRetry = absl::Minutes(1);

}  // namespace

void KeyRefresh::Refresh(Done done) {
  waiting_.push_back(std::move(done));
  Begin();
}

void KeyRefresh::Begin() {
  if (fetching_) return;
  fetching_ = true;
  parts_.scheduler.CancelTimer(std::exchange(timer_, {}));
  const bool accepted = parts_.workers([self = shared_from_this()] {
    auto text = self->parts_.fetch();
    self->parts_.scheduler.Post([self, text = std::move(text)] { self->End(text); });
  });
  if (accepted) return;
  parts_.scheduler.Post(
      [self = shared_from_this()] { self->End(absl::ResourceExhaustedError("the broker has no thread for it")); });
}

void KeyRefresh::End(const absl::StatusOr<std::string>& text) {
  fetching_ = false;
  const bool good = Take(text);
  const absl::Duration now = parts_.clock.Monotonic();
  not_before_ = now + kBetween;
  retry_ = good ? absl::ZeroDuration() : std::clamp(2 * retry_, kBetween, kMostRetry);
  timer_ = parts_.scheduler.AddTimer(now + (good ? kRegular : retry_), [self = weak_from_this()] {
    if (const auto live = self.lock()) live->Begin();
  });
  for (Done& done : std::exchange(waiting_, {})) done();
}

bool KeyRefresh::Take(const absl::StatusOr<std::string>& text) {
  absl::Status taken = text.status();
  if (text.ok()) {
    taken = parts_.keys->Take(*text);
  } else {
    parts_.keys->Keep(std::string(taken.message()));
  }
  parts_.metrics.Reloaded("issuer_keys", taken.ok());
  if (!taken.ok()) parts_.logger.Error("issuer_keys_refused", {{"problem", ToStd(taken.message())}});
  return taken.ok();
}

}  // namespace lmbroker::identity
