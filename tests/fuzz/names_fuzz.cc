// A resource name that is taken has one form, and says what it said.

#include "service/base/identity_text.h"
#include "service/base/names.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

// Whether the name was taken; then it must be written as it was read.
template <class Name>
bool Taken(std::string_view input) {
  const auto name = Name::Parse(input, "name");
  if (!name.ok()) {
    RequireRefusal(name.status(), Reason::kFieldInvalid);
    return false;
  }
  Require(name->ToString() == input, "a name is what the caller wrote");
  Require(input.size() <= 200, "a name is short");
  for (const char c : input) Require(c > ' ' && c < 0x7F, "a name is visible ASCII");
  return true;
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  const int taken = int{Taken<PortalName>(input)} + int{Taken<AdminName>(input)} + int{Taken<TokenName>(input)} +
                    int{Taken<CredentialName>(input)};
  Require(taken <= 1, "a name is of one kind");
  const auto id = PortalName::FromId(input, "portal");
  Require(!id.ok() || id->id() == input, "an id is what the file says");
  Require(!id.ok() || PortalName::Parse(id->ToString(), "name").ok(), "an id makes a name");
  if (IdentityProblem(input).empty()) {
    Require(!input.empty() && input.size() <= 4096, "an identity is bounded");
    Require(input.find('\0') == std::string_view::npos, "an identity has no NUL");
  }
}

}  // namespace lmbroker::fuzz
