#include "service/rpc/convert.h"

#include <algorithm>
#include <cstdint>

#include "service/base/error.h"

namespace lmbroker::rpc {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMostPageSize = 1000;
constexpr std::int64_t kMostSeconds = 315'576'000'000;  // google.protobuf.Duration: about 10 000 years
constexpr std::int32_t kNanosPerSecond = 1'000'000'000;

}  // namespace

absl::StatusOr<http::Api> FromProto(v1::Api api, std::string_view field) {
  switch (api) {
    case v1::API_UNSPECIFIED:
    case v1::MANAGEMENT:
      return http::Api::kManagement;
    case v1::INGEST:
      return http::Api::kIngest;
    default:
      return FieldInvalid(field, "must be MANAGEMENT or INGEST");
  }
}

absl::StatusOr<std::optional<TokenType>> FromProto(v1::TokenType type, std::string_view field) {
  switch (type) {
    case v1::TOKEN_TYPE_UNSPECIFIED:
      return std::nullopt;
    case v1::LMV1:
      return TokenType::kLmv1;
    case v1::BEARER:
      return TokenType::kBearer;
    default:
      return FieldInvalid(field, "must be LMV1 or BEARER");
  }
}

absl::StatusOr<std::optional<TokenStatus>> FromProto(v1::TokenStatus status, std::string_view field) {
  switch (status) {
    case v1::TOKEN_STATUS_UNSPECIFIED:
      return std::nullopt;
    case v1::DISABLED:
      return TokenStatus::kDisabled;
    case v1::ENABLED:
      return TokenStatus::kEnabled;
    default:
      return FieldInvalid(field, "must be DISABLED or ENABLED");
  }
}

v1::TokenType ToProto(TokenType type) {
  switch (type) {
    case TokenType::kLmv1:
      return v1::LMV1;
    case TokenType::kBearer:
      return v1::BEARER;
  }
  return v1::TOKEN_TYPE_UNSPECIFIED;
}

v1::TokenStatus ToProto(TokenStatus status) {
  switch (status) {
    case TokenStatus::kDisabled:
      return v1::DISABLED;
    case TokenStatus::kEnabled:
      return v1::ENABLED;
  }
  return v1::TOKEN_STATUS_UNSPECIFIED;
}

void ToProto(absl::Time time, google::protobuf::Timestamp& out) {
  const absl::Duration since_epoch = time - absl::UnixEpoch();
  const absl::Duration seconds = absl::Floor(since_epoch, absl::Seconds(1));
  out.set_seconds(absl::ToInt64Seconds(seconds));
  out.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(since_epoch - seconds)));
}

void ToProto(absl::Duration duration, google::protobuf::Duration& out) {
  const absl::Duration seconds = absl::Trunc(duration, absl::Seconds(1));
  out.set_seconds(absl::ToInt64Seconds(seconds));
  out.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(duration - seconds)));
}

absl::StatusOr<absl::Duration> FromProto(const google::protobuf::Duration& duration, std::string_view field) {
  const std::int64_t seconds = duration.seconds();
  const std::int32_t nanos = duration.nanos();
  const bool out_of_range =
      seconds < -kMostSeconds || seconds > kMostSeconds || nanos <= -kNanosPerSecond || nanos >= kNanosPerSecond;
  const bool contradicts = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
  if (out_of_range || contradicts) return FieldInvalid(field, "is not a well-formed duration");
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

Secret TakeSecret(std::string& field) {
  Secret secret(field);
  Wipe(field.data(), field.size());
  field.clear();
  return secret;
}

absl::StatusOr<int> PageSize(int page_size) {
  if (page_size < 0) return FieldInvalid("page_size", "must not be negative (0 means 50, the most is 1000)");
  return page_size == 0 ? kDefaultPageSize : std::min(page_size, kMostPageSize);
}

}  // namespace lmbroker::rpc
