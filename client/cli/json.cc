#include "client/cli/json.h"

#include <google/protobuf/util/json_util.h>

namespace lmbroker::cli {

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError("The call is done, but its reply cannot be written as JSON.");
  return json;
}

}  // namespace lmbroker::cli
