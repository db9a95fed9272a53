#include "client/cli/names.h"

#include <array>
#include <cstddef>
#include <functional>

#include <fmt/format.h>

#include "service/base/names.h"

namespace lmbroker::cli {
namespace {

// `shape` ("portals/*/admins/*") with its stars replaced by the segments of `text` ("acme/32"), whatever they are;
// nothing when their numbers differ.
std::optional<std::string> Substitute(std::string_view shape, std::string_view text) {
  std::string name;
  std::optional<std::string_view> rest = text;
  for (const char c : shape) {
    if (c != '*') {
      name += c;
      continue;
    }
    if (!rest.has_value()) return std::nullopt;
    const std::size_t slash = rest->find('/');
    name += rest->substr(0, slash);
    rest = slash == std::string_view::npos ? std::nullopt : std::optional(rest->substr(slash + 1));
  }
  return rest.has_value() ? std::nullopt : std::optional(name);
}

// A text that is a full name stays one, even where a portal is itself named "portals".
template <class Name>
std::optional<std::string> Full(std::string_view shape, std::string_view text) {
  if (Name::Parse(text, "NAME").ok()) return std::string(text);
  std::optional<std::string> name = Substitute(shape, text);
  return name.has_value() && Name::Parse(*name, "NAME").ok() ? name : std::nullopt;
}

// The arguments are not echoed: what was put in the wrong place may be a secret.
CLI::Validator Argument(std::function<std::optional<std::string>(std::string_view)> expand, const std::string& shape,
                        const std::string& full_shape) {
  return CLI::Validator(
      [expand = std::move(expand), shape, full_shape](std::string& text) {
        std::optional<std::string> name = expand(text);
        if (!name.has_value()) return fmt::format("must be {} or {}", shape, full_shape);
        text = *std::move(name);
        return std::string();
      },
      shape);
}

}  // namespace

std::optional<std::string> FullPortal(std::string_view text) { return Full<PortalName>("portals/*", text); }

std::optional<std::string> FullAdmin(std::string_view text) { return Full<AdminName>("portals/*/admins/*", text); }

std::optional<std::string> FullToken(std::string_view text) {
  return Full<TokenName>("portals/*/admins/*/tokens/*", text);
}

std::optional<std::string> FullCredential(std::string_view text) {
  return Full<CredentialName>("portals/*/credentials/*", text);
}

std::string ShortName(std::string_view full) {
  if (const auto name = TokenName::Parse(full, "name"); name.ok()) {
    return fmt::format("{}/{}/{}", name->portal().id(), name->admin().id(), name->id());
  }
  if (const auto name = AdminName::Parse(full, "name"); name.ok()) {
    return fmt::format("{}/{}", name->portal().id(), name->id());
  }
  if (const auto name = CredentialName::Parse(full, "name"); name.ok()) {
    return fmt::format("{}/{}", name->portal().id(), name->id());
  }
  if (const auto name = PortalName::Parse(full, "name"); name.ok()) return name->id();
  return std::string(full);
}

CLI::Validator PortalArgument() { return Argument(FullPortal, "PORTAL", "portals/PORTAL"); }

CLI::Validator AdminArgument() { return Argument(FullAdmin, "PORTAL/ADMIN", "portals/PORTAL/admins/ADMIN"); }

CLI::Validator PortalOrAdminArgument() {
  const auto expand = [](std::string_view text) {
    const std::optional<std::string> portal = FullPortal(text);
    return portal.has_value() ? portal : FullAdmin(text);
  };
  return Argument(expand, "PORTAL[/ADMIN]", "portals/PORTAL[/admins/ADMIN]");
}

CLI::Validator TokenArgument() {
  return Argument(FullToken, "PORTAL/ADMIN/TOKEN", "portals/PORTAL/admins/ADMIN/tokens/TOKEN");
}

CLI::Validator CredentialArgument() {
  return Argument(FullCredential, "PORTAL/CREDENTIAL", "portals/PORTAL/credentials/CREDENTIAL");
}

}  // namespace lmbroker::cli
