#include "service/core/page_token.h"

#include <cstddef>
#include <optional>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/crypto/encoding.h"

namespace lmbroker::core {
namespace {

constexpr std::size_t kMostBytes = 1024;

// Each part with its length, so that no two queries read alike.
std::string Join(const std::vector<std::string>& query) {
  std::string joined = "page_token";
  for (const std::string& part : query) joined += fmt::format(";{}:{}", part.size(), part);
  return joined;
}

}  // namespace

std::string PageTokens::Seal(std::string_view position, const std::vector<std::string>& query) const {
  return crypto::EncodeBase64Url(aead_.Seal(position, Join(query)));
}

absl::StatusOr<std::string> PageTokens::Open(std::string_view token, const std::vector<std::string>& query) const {
  const auto sealed = token.size() <= kMostBytes ? crypto::DecodeBase64Url(token) : std::nullopt;
  auto position = sealed.has_value() ? aead_.OpenText(*sealed, Join(query)) : std::nullopt;
  if (position.has_value()) return *std::move(position);
  return FieldInvalid("page_token",
                      "is not one that the broker gave you for this query since it started; begin with the first page");
}

}  // namespace lmbroker::core
