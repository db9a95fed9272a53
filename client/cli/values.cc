#include "client/cli/values.h"

#include <cstddef>

#include <fmt/format.h>

#include "service/base/quantity.h"
#include "service/base/text.h"

namespace lmbroker::cli {

std::optional<v1::TokenType> ParseTokenType(std::string_view text) {
  if (EqualsIgnoreCase(text, "lmv1")) return v1::LMV1;
  if (EqualsIgnoreCase(text, "bearer")) return v1::BEARER;
  return std::nullopt;
}

CLI::Validator TokenTypeArgument() {
  return {[](std::string& text) { return ParseTokenType(text).has_value() ? "" : "must be lmv1 or bearer"; },
          "lmv1|bearer"};
}

CLI::Validator DurationArgument() {
  return {[](std::string& text) {
            const bool is_positive = ParseDuration(text).value_or(absl::ZeroDuration()) > absl::ZeroDuration();
            return is_positive ? "" : "must be a time such as 2s, 1h30m or 720h";
          },
          "DURATION"};
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  absl::Duration rest;
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
  return proto;
}

std::optional<Pair> ParsePair(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == 0 || at == std::string_view::npos) return std::nullopt;
  return Pair(text.substr(0, at), text.substr(at + 1));
}

CLI::Validator PairArgument(char separator) {
  return {[separator](std::string& text) {
            return ParsePair(text, separator).has_value() ? std::string()
                                                          : fmt::format("must be NAME{}VALUE", separator);
          },
          fmt::format("NAME{}VALUE", separator)};
}

}  // namespace lmbroker::cli
