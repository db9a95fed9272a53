#include "service/store/row_sum.h"

#include <cstddef>

namespace lmbroker::store {
namespace {

constexpr std::size_t kWordBytes = 8;

// The digest as a number, its first byte the most significant one.
std::array<std::uint64_t, 4> WordsOf(const crypto::Digest& bytes) {
  std::array<std::uint64_t, 4> words{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::uint64_t& word = words.at(words.size() - 1 - i / kWordBytes);
    word = (word << 8U) | static_cast<std::uint8_t>(bytes.at(i));
  }
  return words;
}

}  // namespace

void RowSum::Add(const crypto::Digest& hash) {
  const auto other = WordsOf(hash);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t sum = words_.at(i) + other.at(i);
    const std::uint64_t with_carry = sum + carry;
    carry = (sum < other.at(i) ? 1U : 0U) | (with_carry < sum ? 1U : 0U);
    words_.at(i) = with_carry;
  }
}

void RowSum::Subtract(const crypto::Digest& hash) {
  const auto other = WordsOf(hash);
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t difference = words_.at(i) - other.at(i);
    const std::uint64_t with_borrow = difference - borrow;
    borrow = (words_.at(i) < other.at(i) ? 1U : 0U) | (difference < borrow ? 1U : 0U);
    words_.at(i) = with_borrow;
  }
}

crypto::Digest RowSum::ToBytes() const {
  crypto::Digest bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint64_t word = words_.at(words_.size() - 1 - i / kWordBytes);
    bytes.at(i) = static_cast<char>((word >> (8 * (kWordBytes - 1 - i % kWordBytes))) & 0xFFU);
  }
  return bytes;
}

RowSum RowSum::FromBytes(const crypto::Digest& bytes) {
  RowSum sum;
  sum.words_ = WordsOf(bytes);
  return sum;
}

void TableSum::AddRow(const crypto::Digest& hash) {
  ++rows;
  sum.Add(hash);
}

void TableSum::SubtractRow(const crypto::Digest& hash) {
  --rows;
  sum.Subtract(hash);
}

}  // namespace lmbroker::store
