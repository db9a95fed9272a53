#pragma once

// RETURN_IF_ERROR and ASSIGN_OR_RETURN with the names and meaning of newer Abseil (absl/status/status_macros.h),
// which Debian 12's release does not have yet.

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#define LMBROKER_CONCAT_INNER(a, b) a##b
#define LMBROKER_CONCAT(a, b) LMBROKER_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr`, an absl::Status, is not OK.
#define RETURN_IF_ERROR(expr)                           \
  do {                                                  \
    if (absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                   \
    }                                                   \
  } while (false)

// Assigns the value of `expr`, an absl::StatusOr, to `lhs` (which may declare), or returns its status.
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_INNER(LMBROKER_CONCAT(status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                           \
  if (!result.ok()) {                             \
    return std::move(result).status();            \
  }                                               \
  lhs = *std::move(result)
