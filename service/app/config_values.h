#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "google/protobuf/duration.pb.h"
#include "service/base/issues.h"

namespace lmbroker::app {

// Reads single values of the configuration file. `key` is the value's key path; what is wrong with a value is put into
// the issues, and some harmless value comes back, so that the reading goes on and finds the rest.
class ConfigValues {
 public:
  // Paths are relative to `directory`.
  ConfigValues(std::filesystem::path directory, Issues& issues) : directory_(std::move(directory)), issues_(issues) {}

  Issues& issues() { return issues_; }
  void Problem(std::string_view key, std::string_view problem) { issues_.Add(key, problem); }
  // A key of the contract that this version does not honour: refused rather than ignored.
  void Later(std::string_view key);
  // Whether `status` is OK; its message is the problem otherwise.
  bool Check(std::string_view key, const absl::Status& status);
  // Whether there is a value.
  bool Require(std::string_view key, std::string_view value);

  // Empty stays empty.
  std::string Resolve(std::string_view path) const;
  // A file that may be new, in a directory that exists and can be written.
  std::string NewFile(std::string_view key, std::string_view path);
  // HOST:PORT, the host an IP address or name, the port 0 to 65535.
  std::string Address(std::string_view key, std::string_view address);
  // 1 byte to `most_gib` GiB.
  std::size_t Bytes(std::string_view key, std::string_view size, std::uint64_t most_gib = 1);
  // 1 to 1 000 000.
  std::size_t Count(std::string_view key, std::int64_t count);
  // Above zero.
  absl::Duration Duration(std::string_view key, const google::protobuf::Duration& duration);

  template <class T>
  T OneOf(std::string_view key, std::string_view value, std::initializer_list<std::pair<std::string_view, T>> choices) {
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (name == value) return choice;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    Problem(key, "must be one of " + names);
    return choices.begin()->second;
  }

 private:
  const std::filesystem::path directory_;
  Issues& issues_;
};

}  // namespace lmbroker::app
