#pragma once

// Resource names on the command line: the full form or a short one.

#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace lmbroker::cli {

// The full name for what was typed; nothing when it is neither form.
std::optional<std::string> FullPortal(std::string_view text);      // "acme", "portals/acme"
std::optional<std::string> FullAdmin(std::string_view text);       // "acme/32", "portals/acme/admins/32"
std::optional<std::string> FullToken(std::string_view text);       // "acme/32/41", "portals/acme/admins/32/tokens/41"
std::optional<std::string> FullCredential(std::string_view text);  // "acme/reader", "portals/acme/credentials/reader"

// The short form of a full name of any kind; other text stays as it is.
std::string ShortName(std::string_view full);

// The same as transformations of command-line arguments.
CLI::Validator PortalArgument();
CLI::Validator AdminArgument();
CLI::Validator PortalOrAdminArgument();
CLI::Validator TokenArgument();
CLI::Validator CredentialArgument();

}  // namespace lmbroker::cli
