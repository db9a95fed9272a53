#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "service/crypto/digest.h"

namespace lmbroker::store {

// The sum modulo 2^256 of the keyed hashes of rows: the same in whatever order they are added, and one row more or less
// is one addition. (MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental Multiset Hash Functions",
// 2003.) Stored under a fresh mask only: from bare sums one could learn the hashes of single rows, and add up others.
class RowSum {
 public:
  void Add(const crypto::Digest& hash);
  void Subtract(const crypto::Digest& hash);

  crypto::Digest ToBytes() const;
  static RowSum FromBytes(const crypto::Digest& bytes);

  bool operator==(const RowSum&) const = default;

 private:
  std::array<std::uint64_t, 4> words_{};  // the least significant first
};

struct TableSum {
  std::int64_t rows = 0;
  RowSum sum;

  void AddRow(const crypto::Digest& hash);
  void SubtractRow(const crypto::Digest& hash);

  bool operator==(const TableSum&) const = default;
};

// By the name of the table.
using TableSums = std::map<std::string, TableSum, std::less<>>;

}  // namespace lmbroker::store
