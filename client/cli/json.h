#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

namespace lmbroker::cli {

// `message` as proto3 JSON, one field a line. Fields with default values are there too, so that scripts find them.
// INTERNAL for what JSON cannot hold, such as a time beyond the year 9999.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

}  // namespace lmbroker::cli
