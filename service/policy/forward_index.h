#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "service/base/names.h"
#include "service/http/method.h"
#include "service/policy/decision.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// Which of a caller's forward grants can decide a call, found in a time that depends on the call and not on how many
// grants there are: by portal, API and credential, then along the segments of the path. It only narrows: what it finds
// is judged whole by forward_judge.h. Refers to the grants; immutable once filled.
class ForwardIndex {
 public:
  // In the order of the file; the grants of one caller, which stand one behind the other.
  void Add(const ForwardGrant& grant);

  // In the order of the file. With these the judge comes to the same decision, in the same words, as with all of the
  // caller's grants: whichever decides is there, and as many of those with other credentials as a message may name.
  // `segments` are those of the question's path.
  std::vector<const ForwardGrant*> Find(const ForwardQuestion& question,
                                        std::span<const std::string_view> segments) const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  static constexpr std::size_t kMethodCount = static_cast<std::size_t>(http::Method::kDelete) + 1;  // the last one
  // The grants with one pattern, by method.
  using Ends = std::array<std::vector<const ForwardGrant*>, kMethodCount>;
  // Where patterns are after some segments.
  struct Node {
    std::unordered_map<std::string, std::unique_ptr<Node>, TextHash, std::equal_to<>> named;
    std::unique_ptr<Node> any;    // behind `*`
    std::unique_ptr<Ends> here;   // patterns that end
    std::unique_ptr<Ends> below;  // patterns that go on with `**`
  };
  struct Key {
    PortalName portal;
    http::Api api = http::Api::kManagement;
    auto operator<=>(const Key&) const = default;
  };
  struct Trees {
    Node all;
    std::map<CredentialName, Node> by_credential;  // for questions that name one
  };

  static void Insert(Node& root, const PathPattern& pattern, const ForwardGrant& grant);
  static void Collect(const Node& node, std::span<const std::string_view> segments, std::size_t method,
                      std::vector<const ForwardGrant*>& found);

  std::map<Key, Trees> trees_;
};

}  // namespace lmbroker::policy
