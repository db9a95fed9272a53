#pragma once

// What the tests of the audit file share: reading it back, as a stranger would.

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"

namespace lmbroker::audit {

inline std::vector<std::string> LinesOf(const std::string& path) {
  const std::string content = ReadFile(path);
  EXPECT_TRUE(content.empty() || content.back() == '\n') << path << " ends in a fragment";
  std::vector<std::string> lines;
  std::istringstream in(content);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The records in a file, each of which must be whole; fragments count as failures.
inline std::vector<nlohmann::json> RecordsOf(const std::string& path) {
  std::vector<nlohmann::json> records;
  for (const std::string& line : LinesOf(path)) {
    records.push_back(nlohmann::json::parse(line, nullptr, false));
    EXPECT_TRUE(records.back().is_object()) << line;
  }
  return records;
}

inline std::vector<std::uint64_t> SeqsOf(const std::vector<nlohmann::json>& records) {
  std::vector<std::uint64_t> seqs;
  for (const auto& record : records) seqs.push_back(record["seq"].get<std::uint64_t>());
  return seqs;
}

// first, first + 1, … last
inline std::vector<std::uint64_t> Range(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> range;
  for (std::uint64_t seq = first; seq <= last; ++seq) range.push_back(seq);
  return range;
}

}  // namespace lmbroker::audit
