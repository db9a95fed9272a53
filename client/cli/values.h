#pragma once

// Values on the command line that are no names. Each has a check for CLI11, after which its parser has a value.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>

#include "lmbroker/v1/token.pb.h"

namespace lmbroker::cli {

// "lmv1" or "bearer", in any letter case.
std::optional<v1::TokenType> ParseTokenType(std::string_view text);
CLI::Validator TokenTypeArgument();

// What ParseDuration of base takes, but not zero.
CLI::Validator DurationArgument();
google::protobuf::Duration ToProto(absl::Duration duration);

// What is before and behind the first `separator`; the part before it is not empty.
using Pair = std::pair<std::string, std::string>;
std::optional<Pair> ParsePair(std::string_view text, char separator);
CLI::Validator PairArgument(char separator);

}  // namespace lmbroker::cli
