#include "service/policy/verb.h"

#include <array>

namespace lmbroker::policy {
namespace {

constexpr std::array kVerbs = {Verb::kCreate, Verb::kList,   Verb::kGet,   Verb::kUpdate,
                               Verb::kToggle, Verb::kDelete, Verb::kRotate};

}  // namespace

std::string_view VerbName(Verb verb) {
  switch (verb) {
    case Verb::kCreate:
      return "create";
    case Verb::kList:
      return "list";
    case Verb::kGet:
      return "get";
    case Verb::kUpdate:
      return "update";
    case Verb::kToggle:
      return "toggle";
    case Verb::kDelete:
      return "delete";
    case Verb::kRotate:
      return "rotate";
  }
  return "";
}

std::optional<Verb> ParseVerb(std::string_view name) {
  for (const Verb verb : kVerbs) {
    if (VerbName(verb) == name) return verb;
  }
  return std::nullopt;
}

}  // namespace lmbroker::policy
