#include "service/core/lost_answer.h"

#include "service/base/error.h"

namespace lmbroker::core {

absl::Status ToldOfLostAnswer(const absl::Status& status, http::Delivery delivery, portal::Repeatable repeatable) {
  const bool lost = IsRefusal(status, Reason::kPortalUnreachable) || IsRefusal(status, Reason::kDeadline) ||
                    IsRefusal(status, Reason::kPortalError) || IsRefusal(status, Reason::kQueueFull);
  if (!lost || delivery == http::Delivery::kNotSent || repeatable == portal::Repeatable::kAlways) return status;
  return Refuse(Reason::kOutcomeUnknown,
                "The portal received the call, but its answer was lost, so it may have happened; read the resource "
                "before you repeat the call.",
                {.metadata = WithCause(status)});
}

}  // namespace lmbroker::core
