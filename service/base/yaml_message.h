#pragma once

#include <map>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "service/base/issues.h"

namespace lmbroker {

// The word that may stand for a whole list, by the full name of the repeated string field:
// {"lmbroker.config.v1.TokenGrant.admins", "any"} lets `admins: any` be read as `admins: [any]`.
using YamlWords = std::map<std::string, std::string, std::less<>>;

// Reads YAML into `message`, whose descriptor is the schema: a key is a field's name, everything else is a problem.
// All problems of the text go into `issues`, with their lines; what is good is read nevertheless, so that later checks
// can add theirs. A scalar is read as its field's type, literally: `true` and `false` alone are bools, numbers are
// decimal, enum values are named in any letter case, durations look like 1h30m, and `no` is the string "no".
void ReadYaml(std::string_view text, google::protobuf::Message& message, Issues& issues, const YamlWords& words = {});

}  // namespace lmbroker
