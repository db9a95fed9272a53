#include "service/base/yaml.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "service/base/text.h"

namespace lmbroker {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Characters that editors do not show, or show elsewhere than they stand: C1 controls, line and paragraph separators,
// bidirectional overrides and isolates, the byte order mark (Unicode 15, "Trojan Source").
bool HasInvisible(std::string_view line) {
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const auto byte = [&](std::size_t at) { return at < line.size() ? static_cast<unsigned char>(line[at]) : 0; };
    if (byte(i) == 0xC2 && byte(i + 1) < 0xA0) return true;                                                 // C1
    if (byte(i) == 0xE2 && byte(i + 1) == 0x80 && byte(i + 2) >= 0xA8 && byte(i + 2) <= 0xAE) return true;  // 2028–202E
    if (byte(i) == 0xE2 && byte(i + 1) == 0x81 && byte(i + 2) >= 0xA6 && byte(i + 2) <= 0xA9) return true;  // 2066–2069
    if (byte(i) == 0xEF && byte(i + 1) == 0xBB && byte(i + 2) == 0xBF) return true;
  }
  return false;
}

// What is wrong with the characters of one line, or nothing. Control characters matter beyond looks: yaml-cpp takes
// U+0004 for the end of the file, and a lone carriage return hides what follows it from most viewers.
std::string_view ProblemOfLine(std::string_view line) {
  const std::size_t content = std::min(line.find_first_not_of(" \t"), line.size());
  if (content < line.size() && line.substr(0, content).find('\t') != std::string_view::npos) {
    return "a tab is no indentation, use blanks";
  }
  if (line.starts_with('%')) return "directives are not accepted";
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
  if (std::any_of(line.begin(), line.end(), is_control)) return "has a control character";
  if (HasInvisible(line)) return "has an invisible character (control, bidirectional or byte order mark)";
  return "";
}

// Whether the characters of the text can be trusted to show what they mean.
bool CheckCharacters(std::string_view text, Issues& issues) {
  if (text.size() > kMostYamlBytes) {
    issues.Add("", fmt::format("has {} bytes, at most {} are read", text.size(), kMostYamlBytes));
    return false;
  }
  bool good = true;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view problem = IsUtf8(line) ? ProblemOfLine(line) : "is not UTF-8";
    if (problem.empty()) continue;
    issues.AddAtLine(number, problem);
    good = false;
  }
  return good;
}

// yaml-cpp's messages name the character that it did not expect, whatever it is.
std::string WithoutControls(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, '?');
  return text;
}

// Builds the tree from yaml-cpp's events, which never expand an alias.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Issues& issues) : issues_(issues) {}

  // Whether the text was refused as a whole, so that what is to come does not matter.
  bool refused() const { return refused_; }

  // The tree; empty when the text as a whole was refused.
  std::optional<YamlNode> Finish() && {
    if (refused_) return std::nullopt;
    return std::move(root_);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) RefuseText(mark, "a second document starts, a file holds one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Leaf(mark, {.kind = YamlNode::Kind::kNull}, "", anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Leaf(mark, {.kind = YamlNode::Kind::kScalar, .text = value, .quoted = tag == "!"}, tag, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    RefuseText(mark, "aliases are not accepted, write the value out");
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(mark, YamlNode::Kind::kList, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(mark, YamlNode::Kind::kMap, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A collection under construction, and in a map the key that waits for its value.
  struct Frame {
    YamlNode node;
    std::optional<YamlEntry> key;
  };

  void Leaf(const YAML::Mark& mark, YamlNode node, const std::string& tag, YAML::anchor_t anchor) {
    if (!Admit(mark, tag, anchor)) return;
    node.line = mark.line + 1;
    Put(std::move(node));
  }

  void Open(const YAML::Mark& mark, YamlNode::Kind kind, const std::string& tag, YAML::anchor_t anchor) {
    if (!Admit(mark, tag, anchor)) return;
    if (frames_.size() >= kMostYamlDepth)
      return RefuseText(mark, fmt::format("is nested deeper than {}", kMostYamlDepth));
    frames_.push_back({.node = {.kind = kind, .line = mark.line + 1}, .key = std::nullopt});
  }

  void Close() {
    if (refused_) return;
    YamlNode node = std::move(frames_.back().node);
    frames_.pop_back();
    Put(std::move(node));
  }

  void Put(YamlNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == YamlNode::Kind::kList) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key.has_value()) {
      frame.key = KeyOf(node);
    } else {
      frame.key->value = std::move(node);
      PutEntry(frame.node, *std::exchange(frame.key, std::nullopt));
    }
  }

  YamlEntry KeyOf(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kScalar) {
      issues_.AddAtLine(node.line, "a key must be a word");
      refused_ = true;
    }
    return {.key = node.text, .line = node.line, .value = {}};
  }

  // The first of two equal keys stands. Bounded: a map that a schema knows has few keys, and one that it does not know
  // has at most kMostEntries.
  void PutEntry(YamlNode& map, YamlEntry entry) {
    const auto same = [&](const YamlEntry& other) { return other.key == entry.key; };
    if (std::any_of(map.entries.begin(), map.entries.end(), same)) {
      issues_.AddAtLine(entry.line, fmt::format("the key {} stands here a second time", Excerpt(entry.key)));
    } else if (map.entries.size() == kMostEntries) {
      issues_.AddAtLine(entry.line, fmt::format("a map has more than {} keys", kMostEntries));
      refused_ = true;
    } else {
      map.entries.push_back(std::move(entry));
    }
  }

  // Whether to go on with a node.
  bool Admit(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (refused_) return false;
    if (++nodes_ > kMostYamlNodes) {
      RefuseText(mark, fmt::format("has more than {} values", kMostYamlNodes));
      return false;
    }
    if (anchor != YAML::NullAnchor) issues_.AddAtLine(mark.line + 1, "anchors are not accepted");
    // yaml-cpp gives "?" to plain scalars and untagged collections, "!" to quoted scalars.
    if (!tag.empty() && tag != "?" && tag != "!") issues_.AddAtLine(mark.line + 1, "tags are not accepted");
    return true;
  }

  void RefuseText(const YAML::Mark& mark, std::string_view problem) {
    if (!refused_) issues_.AddAtLine(mark.line + 1, problem);
    refused_ = true;
  }

  static constexpr std::size_t kMostEntries = 1000;

  Issues& issues_;
  YamlNode root_;
  std::vector<Frame> frames_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
  bool refused_ = false;
};

}  // namespace

std::optional<YamlNode> ParseYaml(std::string_view text, Issues& issues) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (!CheckCharacters(text, issues)) return std::nullopt;
  // Without the last line break yaml-cpp notices a quote that the end of the file leaves open.
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  TreeBuilder tree(issues);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (!tree.refused() && parser.HandleNextDocument(tree)) {  // ",a" has documents without end
    }
  } catch (const YAML::Exception& error) {
    issues.AddAtLine(error.mark.line + 1, "is not YAML: " + WithoutControls(error.msg));
    return std::nullopt;
  } catch (const std::exception& error) {
    issues.Add("", fmt::format("is not YAML: {}", error.what()));
    return std::nullopt;
  }
  return std::move(tree).Finish();
}

}  // namespace lmbroker
