#include "service/policy/forward_index.h"

#include <algorithm>

#include "service/policy/nearest.h"

namespace lmbroker::policy {
namespace {

// Keeps of the grants with one pattern and method those that can matter: the first with its credential and mark, as
// many of them as a message names, and one more.
void Keep(std::vector<const ForwardGrant*>& kept, const ForwardGrant& grant) {
  std::size_t alike = 0;
  for (const ForwardGrant* other : kept) {
    if (other->account_writes != grant.account_writes) continue;
    if (other->credential == grant.credential) return;
    ++alike;
  }
  if (alike <= kMostListed) kept.push_back(&grant);
}

}  // namespace

void ForwardIndex::Add(const ForwardGrant& grant) {
  Trees& trees = trees_[{grant.portal, grant.api}];
  for (const PathPattern& pattern : grant.paths) {
    Insert(trees.all, pattern, grant);
    Insert(trees.by_credential[grant.credential], pattern, grant);
  }
}

void ForwardIndex::Insert(Node& root, const PathPattern& pattern, const ForwardGrant& grant) {
  Node* node = &root;
  for (const std::string& segment : pattern.segments()) {
    std::unique_ptr<Node>& next = segment == PathPattern::kOne ? node->any : node->named[segment];
    if (next == nullptr) next = std::make_unique<Node>();
    node = next.get();
  }
  std::unique_ptr<Ends>& ends = pattern.any_rest() ? node->below : node->here;
  if (ends == nullptr) ends = std::make_unique<Ends>();
  for (const http::Method method : grant.methods) Keep((*ends)[static_cast<std::size_t>(method)], grant);
}

void ForwardIndex::Collect(const Node& node, std::span<const std::string_view> segments, std::size_t method,
                           std::vector<const ForwardGrant*>& found) {
  const std::unique_ptr<Ends>& ends = segments.empty() ? node.here : node.below;
  if (ends != nullptr) found.insert(found.end(), (*ends)[method].begin(), (*ends)[method].end());
  if (segments.empty()) return;
  const auto named = node.named.find(segments.front());
  if (named != node.named.end()) Collect(*named->second, segments.subspan(1), method, found);
  if (node.any != nullptr) Collect(*node.any, segments.subspan(1), method, found);
}

std::vector<const ForwardGrant*> ForwardIndex::Find(const ForwardQuestion& question,
                                                    std::span<const std::string_view> segments) const {
  std::vector<const ForwardGrant*> found;
  const auto trees = trees_.find({question.portal, question.api});
  if (trees == trees_.end()) return found;
  const auto method = static_cast<std::size_t>(question.method);
  if (!question.credential.has_value()) {
    Collect(trees->second.all, segments, method, found);
  } else if (const auto tree = trees->second.by_credential.find(*question.credential);
             tree != trees->second.by_credential.end()) {
    Collect(tree->second, segments, method, found);
  }
  if (found.size() < 2) return found;
  std::sort(found.begin(), found.end());  // they stand in one vector, so this is the order of the file
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace lmbroker::policy
