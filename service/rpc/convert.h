#pragma once

// The small conversions that several services share: wire enumerations, times and durations ⇄ ours.

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "lmbroker/v1/api.pb.h"
#include "lmbroker/v1/token.pb.h"
#include "service/base/secret.h"
#include "service/base/token.h"
#include "service/http/request.h"

namespace lmbroker::rpc {

// A wire enumeration can carry any number: an unknown one is FIELD_INVALID on `field`.
absl::StatusOr<http::Api> FromProto(v1::Api api, std::string_view field);  // unspecified: management
absl::StatusOr<std::optional<TokenType>> FromProto(v1::TokenType type, std::string_view field);
absl::StatusOr<std::optional<TokenStatus>> FromProto(v1::TokenStatus status, std::string_view field);

v1::TokenType ToProto(TokenType type);
v1::TokenStatus ToProto(TokenStatus status);

void ToProto(absl::Time time, google::protobuf::Timestamp& out);
void ToProto(absl::Duration duration, google::protobuf::Duration& out);

// FIELD_INVALID when the parts are out of range or disagree in sign (google.protobuf.Duration).
absl::StatusOr<absl::Duration> FromProto(const google::protobuf::Duration& duration, std::string_view field);

// The content of a field that holds a secret. What the field held is overwritten.
Secret TakeSecret(std::string& field);

// AIP-158: unset = 50, more than 1000 = 1000, negative = FIELD_INVALID on `page_size`.
absl::StatusOr<int> PageSize(int page_size);

}  // namespace lmbroker::rpc
