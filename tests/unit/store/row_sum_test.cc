#include "service/store/row_sum.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lmbroker::store {
namespace {

crypto::Digest Number(std::string_view last_bytes, char fill = '\0') {
  crypto::Digest digest;
  digest.fill(fill);
  std::copy(last_bytes.begin(), last_bytes.end(), digest.end() - static_cast<std::ptrdiff_t>(last_bytes.size()));
  return digest;
}

TEST(RowSumTest, CarriesThroughEveryWord) {
  RowSum sum;
  sum.Add(Number("", '\xff'));  // 2^256 - 1
  sum.Add(Number("\x02"));
  EXPECT_EQ(sum.ToBytes(), Number("\x01"));
  sum.Subtract(Number("\x02"));
  EXPECT_EQ(sum.ToBytes(), Number("", '\xff'));
}

TEST(RowSumTest, OrderDoesNotMatterAndWhatIsTakenOutIsGone) {
  std::vector<crypto::Digest> rows;
  for (int i = 0; i < 50; ++i) rows.push_back(crypto::Sha256(std::string(1, static_cast<char>(i))));
  RowSum forward;
  for (const crypto::Digest& row : rows) forward.Add(row);
  RowSum backward;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) backward.Add(*row);
  EXPECT_EQ(forward, backward);
  for (const crypto::Digest& row : rows) forward.Subtract(row);
  EXPECT_EQ(forward, RowSum());
}

TEST(RowSumTest, RowThatIsThereTwiceCountsTwice) {
  const crypto::Digest row = crypto::Sha256("row");
  RowSum once;
  once.Add(row);
  RowSum thrice = once;
  thrice.Add(row);
  thrice.Add(row);
  EXPECT_NE(once, thrice);
  EXPECT_NE(thrice, RowSum());
}

TEST(RowSumTest, BytesComeBack) {
  const crypto::Digest bytes = crypto::Sha256("any");
  EXPECT_EQ(RowSum::FromBytes(bytes).ToBytes(), bytes);
  RowSum sum;
  sum.Add(bytes);
  EXPECT_EQ(sum, RowSum::FromBytes(bytes));
}

}  // namespace
}  // namespace lmbroker::store
