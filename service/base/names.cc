#include "service/base/names.h"

#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"

namespace lmbroker {
namespace {

constexpr std::size_t kMostIdBytes = 63;

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsId(std::string_view id) {
  if (id.empty() || id.size() > kMostIdBytes || !IsLetter(id.front()) || id.back() == '-') return false;
  for (const char c : id) {
    if (!IsLetter(c) && !IsDigit(c) && c != '-') return false;
  }
  return true;
}

std::optional<std::int32_t> ParseNumber(std::string_view text) {
  if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The variable parts of `name` when it has the shape of `pattern` ("portals/*/admins/*"), else nothing.
std::vector<std::string_view> Match(std::string_view pattern, std::string_view name) {
  std::vector<std::string_view> parts;
  const auto next = [](std::string_view& text) {
    const std::string_view segment = text.substr(0, text.find('/'));
    text.remove_prefix(segment.size());
    return segment;
  };
  while (true) {
    const std::string_view expected = next(pattern);
    const std::string_view actual = next(name);
    if (expected == "*") {
      parts.push_back(actual);
    } else if (expected != actual) {
      return {};
    }
    if (pattern.empty() || name.empty()) break;
    pattern.remove_prefix(1);
    name.remove_prefix(1);
  }
  return pattern.empty() && name.empty() ? parts : std::vector<std::string_view>{};
}

constexpr std::string_view kIdRule =
    "of lower-case letters, digits and '-' (1 to 63, first a letter, last a letter or digit)";

absl::Status BadName(std::string_view field, std::string_view shape) {
  return FieldInvalid(field, fmt::format("must be a name of the form {}", shape));
}

}  // namespace

absl::StatusOr<PortalName> PortalName::FromId(std::string_view id, std::string_view field) {
  if (!IsId(id)) return FieldInvalid(field, fmt::format("must be an id {}", kIdRule));
  return PortalName(id);
}

absl::StatusOr<PortalName> PortalName::Parse(std::string_view name, std::string_view field) {
  const auto parts = Match("portals/*", name);
  if (parts.size() != 1 || !IsId(parts[0])) return BadName(field, "portals/{portal}");
  return PortalName(parts[0]);
}

std::string PortalName::ToString() const { return fmt::format("portals/{}", id_); }

absl::StatusOr<AdminName> AdminName::Parse(std::string_view name, std::string_view field) {
  constexpr std::string_view kShape = "portals/{portal}/admins/{admin}";
  const auto parts = Match("portals/*/admins/*", name);
  if (parts.size() != 2 || !IsId(parts[0])) return BadName(field, kShape);
  const auto id = ParseNumber(parts[1]);
  if (!id.has_value()) return BadName(field, kShape);
  ASSIGN_OR_RETURN(PortalName portal, PortalName::FromId(parts[0], field));
  return AdminName(std::move(portal), *id);
}

std::string AdminName::ToString() const { return fmt::format("{}/admins/{}", portal_.ToString(), id_); }

absl::StatusOr<TokenName> TokenName::Parse(std::string_view name, std::string_view field) {
  constexpr std::string_view kShape = "portals/{portal}/admins/{admin}/tokens/{token}";
  const auto parts = Match("portals/*/admins/*/tokens/*", name);
  if (parts.size() != 3 || !IsId(parts[0])) return BadName(field, kShape);
  const auto admin = ParseNumber(parts[1]);
  const auto token = ParseNumber(parts[2]);
  if (!admin.has_value() || !token.has_value()) return BadName(field, kShape);
  ASSIGN_OR_RETURN(PortalName portal, PortalName::FromId(parts[0], field));
  return TokenName(AdminName(std::move(portal), *admin), *token);
}

std::string TokenName::ToString() const { return fmt::format("{}/tokens/{}", admin_.ToString(), id_); }

absl::StatusOr<CredentialName> CredentialName::Parse(std::string_view name, std::string_view field) {
  const auto parts = Match("portals/*/credentials/*", name);
  if (parts.size() != 2 || !IsId(parts[0]) || !IsId(parts[1])) {
    return BadName(field, "portals/{portal}/credentials/{credential}");
  }
  ASSIGN_OR_RETURN(PortalName portal, PortalName::FromId(parts[0], field));
  return CredentialName(std::move(portal), parts[1]);
}

absl::StatusOr<CredentialName> CredentialName::FromId(PortalName portal, std::string_view id, std::string_view field) {
  if (!IsId(id)) return FieldInvalid(field, fmt::format("must be an id {}", kIdRule));
  return CredentialName(std::move(portal), id);
}

std::string CredentialName::ToString() const { return fmt::format("{}/credentials/{}", portal_.ToString(), id_); }

}  // namespace lmbroker
