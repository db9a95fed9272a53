#include "service/base/yaml_message.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include "service/base/quantity.h"
#include "service/base/text.h"
#include "service/base/yaml.h"

namespace lmbroker {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kMostScalarBytes = 4096;

// How many letters must be changed, added or left out to make one word of the other (Levenshtein).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string UnknownKey(const Descriptor& schema, std::string_view key) {
  constexpr std::size_t kMostTypos = 2;
  std::size_t least = kMostTypos + 1;
  std::string problem = "unknown key";
  for (int i = 0; i < schema.field_count() && key.size() <= 64; ++i) {
    const std::size_t distance = Distance(key, schema.field(i)->name());
    if (distance >= least) continue;
    least = distance;
    problem = fmt::format("unknown key, did you mean {}?", schema.field(i)->name());
  }
  return problem;
}

// A key as part of a path: itself when it is a plain word, else quoted and cut.
std::string Shown(std::string_view key) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool word = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), plain);
  return word ? std::string(key) : Excerpt(key);
}

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == google::protobuf::Duration::descriptor()->full_name();
}

// Decimal, without plus, leading zeros, other bases or separators.
std::optional<std::int32_t> ParseInt(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const EnumValueDescriptor* FindEnumValue(const FieldDescriptor& field, std::string_view name) {
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const EnumValueDescriptor* value = field.enum_type()->value(i);
    if (value->number() != 0 && EqualsIgnoreCase(value->name(), name)) return value;
  }
  return nullptr;
}

std::string EnumNames(const FieldDescriptor& field) {
  std::vector<std::string_view> names;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    if (field.enum_type()->value(i)->number() != 0) names.push_back(field.enum_type()->value(i)->name());
  }
  return fmt::format("must be one of {}", fmt::join(names, ", "));
}

class Reader {
 public:
  Reader(Issues& issues, const YamlWords& words) : issues_(issues), words_(words) {}

  void ReadMessage(const YamlNode& node, const std::string& path, Message& message) {
    if (node.kind != YamlNode::Kind::kMap) {
      issues_.Add(path, "must be a map of keys");
      return;
    }
    for (const YamlEntry& entry : node.entries) {
      const std::string child = ChildPath(path, Shown(entry.key));
      issues_.SetLine(child, entry.line);
      const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(entry.key);
      if (entry.key == "<<") {
        issues_.Add(child, "merge keys are not accepted");
      } else if (field == nullptr) {
        issues_.Add(child, UnknownKey(*message.GetDescriptor(), entry.key));
      } else if (entry.value.kind == YamlNode::Kind::kNull) {
        issues_.Add(child, "has no value; give it one or leave the key out");
      } else {
        ReadField(entry.value, child, *field, message);
      }
    }
  }

 private:
  void ReadField(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    if (const auto* oneof = field.real_containing_oneof();
        oneof != nullptr && message.GetReflection()->HasOneof(message, oneof)) {
      const auto* first = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
      issues_.Add(path, fmt::format("cannot stand beside {}", first->name()));
    } else if (field.is_map()) {
      ReadMap(node, path, field, message);
    } else if (field.is_repeated()) {
      ReadList(node, path, field, message);
    } else {
      ReadValue(node, path, field, message);
    }
  }

  void ReadMap(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    if (node.kind != YamlNode::Kind::kMap) return issues_.Add(path, "must be a map of names");
    for (const YamlEntry& entry : node.entries) {
      const std::string child = ChildPath(path, Shown(entry.key));
      issues_.SetLine(child, entry.line);
      if (!CheckText(entry.key, child)) continue;
      Message& pair = *message.GetReflection()->AddMessage(&message, &field);
      const Descriptor& schema = *pair.GetDescriptor();
      pair.GetReflection()->SetString(&pair, schema.map_key(), entry.key);
      ReadValue(entry.value, child, *schema.map_value(), pair);
    }
  }

  void ReadList(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    const auto word = words_.find(field.full_name());
    if (word != words_.end() && node.kind == YamlNode::Kind::kScalar && node.text == word->second) {
      return ReadValue(node, path, field, message);
    }
    if (node.kind != YamlNode::Kind::kList) {
      return issues_.Add(path,
                         word == words_.end() ? "must be a list" : fmt::format("must be a list or {}", word->second));
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const std::string child = ItemPath(path, i);
      issues_.SetLine(child, node.items[i].line);
      ReadValue(node.items[i], child, field, message);
    }
  }

  // One value: of a field, of a list (then it is added) or of a map.
  void ReadValue(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || IsDuration(field)) {
      return ReadScalar(node, path, field, message);
    }
    const auto* reflection = message.GetReflection();
    ReadMessage(node, path,
                field.is_repeated() ? *reflection->AddMessage(&message, &field)
                                    : *reflection->MutableMessage(&message, &field));
  }

  void ReadScalar(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    if (node.kind == YamlNode::Kind::kNull) return issues_.Add(path, "has no value");
    if (node.kind != YamlNode::Kind::kScalar) return issues_.Add(path, "must be a single value");
    if (!CheckText(node.text, path)) return;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return SetString(node.text, field, message);
      case FieldDescriptor::CPPTYPE_BOOL:
        return ReadBool(node, path, field, message);
      case FieldDescriptor::CPPTYPE_INT32:
        return ReadInt(node, path, field, message);
      case FieldDescriptor::CPPTYPE_ENUM:
        return ReadEnum(node, path, field, message);
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return ReadDuration(node, path, field, message);
      default:
        return issues_.Add(path, "has a type that a file cannot set");
    }
  }

  bool CheckText(std::string_view text, const std::string& path) {
    const bool good = text.size() <= kMostScalarBytes && IsUtf8(text) && !HasControl(text);
    if (!good) issues_.Add(path, fmt::format("must be at most {} bytes of printable text", kMostScalarBytes));
    return good;
  }

  static void SetString(const std::string& text, const FieldDescriptor& field, Message& message) {
    const auto* reflection = message.GetReflection();
    field.is_repeated() ? reflection->AddString(&message, &field, text) : reflection->SetString(&message, &field, text);
  }

  void ReadBool(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    if (node.quoted || (node.text != "true" && node.text != "false")) {
      return issues_.Add(path, "must be true or false");
    }
    const auto* reflection = message.GetReflection();
    const bool value = node.text == "true";
    field.is_repeated() ? reflection->AddBool(&message, &field, value) : reflection->SetBool(&message, &field, value);
  }

  void ReadInt(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    const auto value = node.quoted ? std::nullopt : ParseInt(node.text);
    if (!value.has_value()) return issues_.Add(path, "must be a decimal number, -2147483648 to 2147483647");
    const auto* reflection = message.GetReflection();
    field.is_repeated() ? reflection->AddInt32(&message, &field, *value)
                        : reflection->SetInt32(&message, &field, *value);
  }

  void ReadEnum(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    const EnumValueDescriptor* value = FindEnumValue(field, node.text);
    if (value == nullptr) return issues_.Add(path, EnumNames(field));
    const auto* reflection = message.GetReflection();
    field.is_repeated() ? reflection->AddEnum(&message, &field, value) : reflection->SetEnum(&message, &field, value);
  }

  void ReadDuration(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message& message) {
    const auto value = ParseDuration(node.text);
    if (!value.has_value()) return issues_.Add(path, "must be a duration such as 250ms, 20s or 1h30m");
    const auto* reflection = message.GetReflection();
    Message& duration =
        field.is_repeated() ? *reflection->AddMessage(&message, &field) : *reflection->MutableMessage(&message, &field);
    const std::int64_t seconds = absl::ToInt64Seconds(*value);
    const auto nanos = static_cast<std::int32_t>(absl::ToInt64Nanoseconds(*value - absl::Seconds(seconds)));
    const Descriptor& schema = *duration.GetDescriptor();
    duration.GetReflection()->SetInt64(&duration, schema.FindFieldByName("seconds"), seconds);
    duration.GetReflection()->SetInt32(&duration, schema.FindFieldByName("nanos"), nanos);
  }

  Issues& issues_;
  const YamlWords& words_;
};

}  // namespace

void ReadYaml(std::string_view text, Message& message, Issues& issues, const YamlWords& words) {
  const auto tree = ParseYaml(text, issues);
  if (!tree.has_value() || tree->kind == YamlNode::Kind::kNull) return;
  Reader(issues, words).ReadMessage(*tree, "", message);
}

}  // namespace lmbroker
