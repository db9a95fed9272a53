// An accepted query decodes to the caller's pairs, in their order. Input: names and values in turn, FF between them.

#include "service/http/query.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {

LMBROKER_FUZZ_TARGET(input) {
  const std::vector<http::NameValue> pairs = SplitPairs(input);
  const auto query = http::CanonicalQuery::Make(pairs);
  if (!query.ok()) {
    RequireRefusal(query.status(), Reason::kFieldInvalid);
    return;
  }
  Require(query->encoded().size() <= 8192 && pairs.size() <= 100, "the query is bounded");
  std::string_view rest = query->encoded();
  for (const auto& [name, value] : pairs) {
    Require(name != "v", "no pair says the version");
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t sign = pair.find('=');
    Require(sign != std::string_view::npos, "a pair has its sign");
    Require(Decoded(pair.substr(0, sign)) == name, "the wire form decodes to the name");
    Require(Decoded(pair.substr(sign + 1)) == value, "the wire form decodes to the value");
  }
  Require(rest.empty(), "nothing is added");
}

}  // namespace lmbroker::fuzz
