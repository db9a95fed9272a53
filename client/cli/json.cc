#include "client/cli/json.h"

#include <google/protobuf/util/json_util.h>

namespace lmbroker::cli {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails only for types that lmbroker.v1 does not use: an Any of unknown type, a time beyond the year 9999.
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}\n";
}

}  // namespace lmbroker::cli
