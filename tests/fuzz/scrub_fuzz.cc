// No key leaves in a reply: whatever the portal makes of the key that signed the call. Input: the value of a header,
// FF, and a body; in both the bytes F8 to FD stand for the key in one of its forms.

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "service/portal/key_names.h"
#include "service/portal/scrub.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

using nlohmann::json;

constexpr std::size_t kMost = 64 << 10;

// An invented key of LM's shape, and what each byte from F8 on stands for.
constexpr std::string_view kKey = "lma_Fuzz(Key)^7=x";
constexpr std::array<std::string_view, 6> kForms = {
    kKey,
    "bG1hX0Z1enooS2V5KV43PXg=",                            // base64
    "eDpsbWFfRnV6eihLZXkpXjc9eDp5",                        // base64 of "x:KEY:y"
    "6C6D615F46757A7A284B6579295E373D78",                  // hex with a digit too many before it
    "lma_Fuzz%28Key%29%5E7%3Dx",                           // percent
    R"(\u006cma_F\u0075zz\u0028Key\u0029\u005E7\u003dx)",  // JSON escapes
};
// What may not be found afterwards.
constexpr std::array<std::string_view, 5> kTelling = {kKey, "bG1hX0Z1enooS2V5KV43PX", "sbWFfRnV6eihLZXkpXjc9e",
                                                      "6C6D615F46757A7A284B6579295E373D78",
                                                      "lma_Fuzz%28Key%29%5E7%3Dx"};

std::string Expanded(std::string_view input) {
  std::string out;
  for (const char c : input) {
    const unsigned form = static_cast<unsigned char>(c) - 0xF8U;
    if (form < kForms.size()) {
      out += kForms[form];
    } else {
      out += c;
    }
  }
  return out;
}

void RequireClean(std::string_view text) {
  for (const std::string_view form : kTelling) Require(text.find(form) == std::string_view::npos, "the key is gone");
}

// The same body in pieces, whose sizes the body itself decides.
std::string InPieces(std::string_view body, const portal::SecretForms& forms) {
  http::Response head;
  portal::Scrubber scrubber(head, forms);
  std::string out;
  std::size_t size = body.size();
  while (!body.empty()) {
    size = std::min<std::size_t>(body.size(), 1 + (size * 31 + static_cast<unsigned char>(body.front())) % 97);
    if (!scrubber.Feed(body.substr(0, size), out).ok()) return "refused";
    body.remove_prefix(size);
  }
  return scrubber.Finish(out).ok() ? out : "refused";
}

bool IsMask(const json& value) {
  return !value.is_string() || value.get_ref<const std::string&>().find_first_not_of('*') == std::string::npos;
}

// The same for JSON as its reader sees it: no string is or has the key, and no field with a key's name has a value.
void RequireClean(const json& value) {
  if (value.is_string()) return RequireClean(std::string_view(value.get_ref<const std::string&>()));
  if (!value.is_structured()) return;
  for (const auto& [name, child] : value.items()) {
    if (value.is_object()) {
      RequireClean(std::string_view(name));
      if (portal::IsKeyLike(name)) {
        Require(IsMask(child), "a field with a key's name is masked");
        if (child.is_array()) Require(std::all_of(child.begin(), child.end(), IsMask), "and so is a list of keys");
      }
    }
    RequireClean(child);
  }
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  static const portal::SecretForms forms{Secret(kKey)};
  std::vector<std::string> parts = Split(input);
  parts.resize(2);
  const std::string body = Expanded(parts[1]);
  http::Response reply{.status = 200, .headers = {{"ETag", Expanded(parts[0])}}, .body = body};
  const absl::Status scrubbed = portal::ScrubReply(reply, forms, kMost);
  Require(InPieces(body, forms) == (scrubbed.ok() ? reply.body : "refused"), "pieces give what the whole gives");
  if (!scrubbed.ok()) {
    RequireRefusal(scrubbed, Reason::kPortalError);
    return;
  }
  RequireClean(std::string_view(reply.headers.front().value));
  RequireClean(std::string_view(reply.body));
  Require(reply.headers.front().value.find('\n') == std::string::npos || parts[0].find('\n') != std::string::npos,
          "no line is added");

  // What was JSON is JSON (a mask next to a backslash may spoil it), and clean as JSON.
  const bool was_json = json::accept(body);
  const json value = json::parse(reply.body, nullptr, false);
  if (was_json && body.find('\\') == std::string::npos) Require(!value.is_discarded(), "JSON stays JSON");
  if (!value.is_discarded()) RequireClean(value);

  http::Response again = reply;
  Require(portal::ScrubReply(again, forms, kMost).ok() && again.body == reply.body, "what is clean stays as it is");
}

}  // namespace lmbroker::fuzz
