#pragma once

// YAML as far as configuration files need it: maps, lists and scalars of one document. What lets a file mean something
// else than it shows is refused: anchors, aliases, merge keys, tags, directives, duplicate keys, tabs as indentation,
// control and bidirectional characters. Nothing guesses types: a scalar is text until a schema reads it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/issues.h"

namespace lmbroker {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 0;                    // from 1
  std::string text;                // of a scalar
  bool quoted = false;             // a scalar in quotes or as a block
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, in the order of the file, keys unique
};

struct YamlEntry {
  std::string key;
  int line = 0;
  YamlNode value;
};

// Limits of one file; beyond them it is refused. A policy of 10 000 grants is well within them.
inline constexpr std::size_t kMostYamlBytes = 4 << 20;
inline constexpr std::size_t kMostYamlNodes = 400'000;
inline constexpr std::size_t kMostYamlDepth = 32;

// The tree of `text` (kNull for a file without content). Problems go into `issues`; with a problem of the text as a
// whole (syntax, limits) the result is empty, with others it is what could be read.
std::optional<YamlNode> ParseYaml(std::string_view text, Issues& issues);

}  // namespace lmbroker
