#pragma once

#include <optional>
#include <string_view>

namespace lmbroker::policy {

// What a caller may do with tokens; a grant names each one.
enum class Verb { kCreate, kList, kGet, kUpdate, kToggle, kDelete, kRotate };

// "create" and so on, as policy files and ExplainAccess write them.
std::string_view VerbName(Verb verb);

// The exact, lower-case name; nothing for anything else.
std::optional<Verb> ParseVerb(std::string_view name);

}  // namespace lmbroker::policy
