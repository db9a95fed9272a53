#include "service/http/query.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/http/percent.h"

namespace lmbroker::http {
namespace {

constexpr std::size_t kMostPairs = 100;
constexpr std::size_t kMostEncodedBytes = 8 << 10;

absl::Status CheckText(std::string_view text, std::string_view field) {
  if (!IsUtf8(text)) return FieldInvalid(field, "is not UTF-8");
  if (text.find('\0') != std::string_view::npos) return FieldInvalid(field, "has a NUL character");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CanonicalQuery> CanonicalQuery::Make(std::vector<NameValue> pairs) {
  if (pairs.size() > kMostPairs) return FieldInvalid("query", fmt::format("has more than {} pairs", kMostPairs));
  CanonicalQuery query;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& [name, value] = pairs[i];
    const std::string name_field = fmt::format("query[{}].name", i);
    if (name.empty()) return FieldInvalid(name_field, "must not be empty");
    if (name == "v") return FieldInvalid(name_field, "may not be v; set `api_version` instead");
    RETURN_IF_ERROR(CheckText(name, name_field));
    RETURN_IF_ERROR(CheckText(value, fmt::format("query[{}].value", i)));
    if (i > 0) query.encoded_ += '&';
    AppendPercentEncoded(query.encoded_, name);
    query.encoded_ += '=';
    AppendPercentEncoded(query.encoded_, value);
    if (query.encoded_.size() > kMostEncodedBytes) {
      return FieldInvalid("query", fmt::format("has more than {} bytes when encoded", kMostEncodedBytes));
    }
  }
  query.pairs_ = std::move(pairs);
  return query;
}

}  // namespace lmbroker::http
