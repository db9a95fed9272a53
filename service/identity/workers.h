#pragma once

#include <functional>

#include <absl/functional/any_invocable.h>

namespace lmbroker::identity {

// Runs work that may block, on some other thread; false when there is no room for it, and then it is dropped.
using Workers = std::function<bool(absl::AnyInvocable<void()>)>;

}  // namespace lmbroker::identity
