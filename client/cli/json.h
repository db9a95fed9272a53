#pragma once

#include <string>

#include <google/protobuf/message.h>

namespace lmbroker::cli {

// `message` as proto3 JSON, one field a line. Fields with default values are there too, so that scripts find them.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace lmbroker::cli
