#include "service/audit/ledger.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/head.h"
#include "service/audit/line.h"
#include "service/audit/marks.h"
#include "tests/fakes/fake_checkpoint_signer.h"
#include "tests/fakes/fake_clock.h"

namespace lmbroker::audit {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class LedgerTest : public testing::Test {
 protected:
  static std::string Records(int count) {
    std::string unnumbered;
    for (int i = 0; i < count; ++i) AppendUnnumbered(unnumbered, {.id = "x"});
    return unnumbered;
  }
  void Seal(int count) { ledger_.Seal(Records(count), records_ += static_cast<std::uint64_t>(count), now_); }

  FakeClock clock_;
  FakeCheckpointSigner signer_;
  Ledger::TimePoint now_{};
  std::uint64_t records_ = 0;
  Ledger ledger_{{.records = 4, .every = seconds(10)}, {}, signer_, clock_};
};

TEST_F(LedgerTest, CheckpointComesAfterSoManyRecords) {
  Seal(3);
  EXPECT_EQ(ledger_.checkpoint(), "");
  Seal(1);
  EXPECT_EQ(ledger_.last().seq, 5U);
  const auto head = Head::Parse(ledger_.checkpoint());
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->last, ledger_.last());
  EXPECT_TRUE(IsSignedBy(*ReadChained(head->text), signer_.key));
  EXPECT_EQ(KeyIdOf(*ReadChained(head->text)), signer_.key.fingerprint());
}

TEST_F(LedgerTest, CheckpointComesAfterAWhileAndOnlyBehindNewRecords) {
  EXPECT_EQ(ledger_.next_checkpoint(), Ledger::TimePoint::max());
  Seal(1);
  EXPECT_EQ(ledger_.next_checkpoint(), now_ + seconds(10));
  now_ += seconds(9);
  Seal(0);
  EXPECT_EQ(ledger_.last().seq, 1U);
  now_ += seconds(1);
  Seal(0);
  EXPECT_EQ(ledger_.last().seq, 2U);
  EXPECT_EQ(ledger_.next_checkpoint(), Ledger::TimePoint::max());
  now_ += seconds(100);
  Seal(0);
  ledger_.SealCheckpoint(now_);
  EXPECT_EQ(ledger_.last().seq, 2U);
}

TEST_F(LedgerTest, ChainGoesOnWithoutAKeyAndIsSignedOnceThereIsOne) {
  signer_.sealed = true;
  Seal(9);
  ledger_.SealCheckpoint(now_);
  EXPECT_EQ(ledger_.last().seq, 9U);
  signer_.sealed = false;
  now_ = ledger_.next_checkpoint();
  Seal(0);
  EXPECT_EQ(ledger_.last().seq, 10U);
  EXPECT_THAT(ledger_.checkpoint(), HasSubstr("\"seq\":10,"));
}

TEST_F(LedgerTest, EverySinkIsGivenTheSameLines) {
  Seal(2);
  Seal(3);
  Position a;
  Position b;
  EXPECT_EQ(ledger_.Next("a", a, 2), ledger_.Next("b", b, 2));
  EXPECT_EQ(ledger_.Next("a", a, 2)->records, 5U);
  EXPECT_EQ(ledger_.Next("a", a, 2), nullptr);
  EXPECT_EQ(a.last, ledger_.last());
  EXPECT_EQ(ledger_.Next("b", b, 1), nullptr);
}

TEST_F(LedgerTest, SinkThatIsTooLateGoesOnWithAGap) {
  Seal(1);
  Position late;
  const auto first = ledger_.Next("late.jsonl", late, 1);
  const Link last = first->last;
  for (int i = 0; i < 5; ++i) Seal(1);
  ledger_.Forget(/*taken_by_all=*/1, /*taken_by_enough=*/4, /*most_bytes=*/0);
  const auto gap = ledger_.Next("late.jsonl", late, 100);
  std::string_view line = gap->lines;
  line.remove_suffix(1);
  const auto record = ReadChained(line);
  ASSERT_TRUE(record.has_value()) << gap->lines;
  EXPECT_EQ(record->kind, "gap");
  const std::vector<Resumption> missed = {{.sink = "late.jsonl", .last = last, .fragment = std::nullopt}};
  EXPECT_EQ(ReadResumptions(*record), missed);
  EXPECT_EQ(ledger_.Next("late.jsonl", late, 100), nullptr);
  EXPECT_EQ(late.last, ledger_.last());
}

TEST_F(LedgerTest, WhatEnoughHaveIsKeptForTheOthersAsLongAsThereIsRoom) {
  for (int i = 0; i < 5; ++i) Seal(1);
  ledger_.Forget(/*taken_by_all=*/0, /*taken_by_enough=*/5, /*most_bytes=*/100'000);
  Position late;
  EXPECT_THAT(ledger_.Next("late", late, 100)->lines, Not(HasSubstr("gap")));
}

TEST_F(LedgerTest, WhatTooFewHaveIsNeverForgotten) {
  for (int i = 0; i < 5; ++i) Seal(1);
  ledger_.Forget(/*taken_by_all=*/0, /*taken_by_enough=*/0, /*most_bytes=*/0);
  Position none;
  EXPECT_EQ(ledger_.Next("sink", none, 100)->index, 1U);
}

}  // namespace
}  // namespace lmbroker::audit
