#include "service/audit/verifier.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/line.h"
#include "tests/unit/audit/audit_runs.h"

namespace lmbroker::audit {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class VerifierTest : public testing::Test {
 protected:
  static Findings Verify(const std::vector<NamedText>& files, Verifier::Options options = {},
                         std::size_t piece = 1000) {
    Verifier verifier(std::move(options));
    for (const NamedText& file : files) {
      verifier.BeginFile(file.name);
      for (std::size_t at = 0; at < file.text.size(); at += piece) {
        verifier.Add(std::string_view(file.text).substr(at, piece));
      }
      verifier.EndFile();
    }
    return verifier.Finish();
  }
  Findings VerifyAll(Verifier::Options options = {}) const { return Verify(runs_.Files(), std::move(options)); }

  std::string Text() const { return ReadFile(runs_.path()); }
  // The line with this number, its newline included.
  static std::string LineOf(const std::string& text, std::size_t number) {
    std::size_t start = 0;
    for (std::size_t i = 1; i < number; ++i) start = text.find('\n', start) + 1;
    return text.substr(start, text.find('\n', start) + 1 - start);
  }

  AuditRuns runs_;
};

TEST_F(VerifierTest, RunsAndRestartsAreIntact) {
  runs_.Run(3);
  runs_.Run(2);
  const Findings findings = VerifyAll({.head = runs_.head(), .key = runs_.signer().key});
  EXPECT_EQ(findings.damage, "");
  EXPECT_THAT(findings.notes, IsEmpty());
  EXPECT_EQ(findings.first, 1U);
  EXPECT_EQ(findings.records, findings.last);
  EXPECT_EQ(findings.checkpoints, 4U);  // at the start and the end of each
}

TEST_F(VerifierTest, PiecesMayBeCutAnywhere) {
  runs_.RunAndKill(3, "fragment");
  runs_.Run(2);
  for (const std::size_t piece : {1U, 2U, 7U, 100'000U})
    EXPECT_EQ(Verify(runs_.Files(), {}, piece).damage, "") << piece;
}

TEST_F(VerifierTest, WithoutAKeyItIsSaidThatSignaturesWereNotChecked) {
  runs_.Run(1);
  EXPECT_THAT(VerifyAll().notes, Contains(HasSubstr("signatures were not checked")));
}

TEST_F(VerifierTest, RunThatWasKilledIsIntactAndItsOpenIntentsAreNamed) {
  runs_.RunAndKill(2, "{\"seq\":9");
  const Findings findings = VerifyAll({.head = runs_.head(), .key = runs_.signer().key});
  EXPECT_EQ(findings.damage, "");
  EXPECT_THAT(findings.notes, Contains(HasSubstr("ends in the midst of a line")));
  EXPECT_THAT(findings.notes, Contains("1 intents have no outcome: \"open-3\""));
}

TEST_F(VerifierTest, NextStartAccountsForTheFragmentAndClosesTheIntents) {
  runs_.RunAndKill(2, "{\"seq\":9");
  runs_.Run(1);
  const Findings findings = VerifyAll({.head = runs_.head(), .key = runs_.signer().key});
  EXPECT_EQ(findings.damage, "");
  EXPECT_THAT(findings.notes, IsEmpty());
  EXPECT_THAT(Text(), HasSubstr("FRAGMENT_CLOSED"));
}

TEST_F(VerifierTest, FragmentIsBoundByTheStartBehindIt) {
  runs_.RunAndKill(2, "fragment");
  runs_.Run(1);
  const std::string text = Text();
  const std::size_t at = text.find("fragment\n");
  for (const std::string_view other :
       {"", "fragmen\n", "Fragment\n", "fragment\n\n", "fragment\nx\n", "\nfragment\n"}) {
    std::string changed = text;
    changed.replace(at, 9, other);
    EXPECT_THAT(Verify({{"audit.jsonl", changed}}).damage, testing::Not(IsEmpty())) << other;
  }
}

TEST_F(VerifierTest, InsertedLineIsNoFragment) {
  runs_.Run(2);
  const std::string text = Text();
  for (std::size_t number = 1; number <= 8; ++number) {
    std::string changed = text;
    changed.insert(text.find(LineOf(text, number)), "{\"seq\":4}\n");
    EXPECT_THAT(Verify({{"audit.jsonl", changed}}).damage,
                HasSubstr("audit.jsonl:" + std::to_string(number) + ": is no whole record"));
  }
  EXPECT_THAT(Verify({{"audit.jsonl", text + "x\n"}}).damage, HasSubstr("is no whole record"));
}

TEST_F(VerifierTest, FirstBadRecordIsNamed) {
  runs_.Run(3);
  const std::string text = Text();
  const std::string third = LineOf(text, 3);
  const std::string fourth = LineOf(text, 4);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    copy.replace(copy.find(from), from.size(), to);
    return Verify({{"dir/audit.jsonl", copy}}).damage;
  };
  EXPECT_EQ(changed(third, ""), "dir/audit.jsonl:3: records 3 to 3 are missing before record 4");
  EXPECT_EQ(changed(third, third + third), "dir/audit.jsonl:4: record 3 comes twice");
  EXPECT_EQ(changed(third + fourth, fourth + third), "dir/audit.jsonl:3: records 3 to 3 are missing before record 4");
  EXPECT_THAT(changed(third, "x" + third), HasSubstr("dir/audit.jsonl:3: is no whole record"));
}

TEST_F(VerifierTest, FileThatBeginsLaterIsVerifiedFromThereAndSaysSo) {
  AuditRuns rotating(3000);
  rotating.Run(40);
  auto files = rotating.Files();
  ASSERT_GT(files.size(), 3U);
  files.erase(files.begin(), files.begin() + 2);
  const Findings findings = Verify(files, {.head = rotating.head(), .key = rotating.signer().key});
  EXPECT_EQ(findings.damage, "");
  EXPECT_GT(findings.first, 1U);
  EXPECT_THAT(findings.notes, testing::ElementsAre(HasSubstr("begins with record " + std::to_string(findings.first))));
}

TEST_F(VerifierTest, FileThatIsLeftOutOrInTheWrongOrderIsFound) {
  AuditRuns rotating(3000);
  rotating.Run(40);
  const auto files = rotating.Files();
  EXPECT_EQ(Verify(files).damage, "");
  auto without = files;
  without.erase(without.begin() + 1);
  EXPECT_THAT(Verify(without).damage, HasSubstr("are missing before record"));
  auto swapped = files;
  std::swap(swapped[1], swapped[2]);
  EXPECT_NE(Verify(swapped).damage, "");
}

TEST_F(VerifierTest, RotatedFileEndsInACheckpoint) {
  AuditRuns rotating(3000);
  rotating.Run(40);
  auto files = rotating.Files();
  files.pop_back();
  for (const NamedText& file : files) {
    const std::size_t last = file.text.rfind('\n', file.text.size() - 2) + 1;
    const auto line = ReadChained(std::string_view(file.text).substr(last, file.text.size() - last - 1));
    ASSERT_TRUE(line.has_value());
    EXPECT_EQ(line->kind, "checkpoint") << file.name;
  }
}

TEST_F(VerifierTest, TailThatTheHeadKnowsIsMissed) {
  runs_.Run(3);
  const std::string text = Text();
  for (std::size_t at = text.size() - 1; at > 0; at -= 3) {
    EXPECT_THAT(Verify({{"audit.jsonl", text.substr(0, at)}}, {.head = runs_.head(), .key = std::nullopt}).damage,
                HasSubstr("but the head knows record"));
    if (at < 3) break;
  }
  EXPECT_THAT(Verify({{"audit.jsonl", ""}}, {.head = runs_.head(), .key = std::nullopt}).damage, HasSubstr("head"));
}

TEST_F(VerifierTest, HeadOfAnotherChainIsNotThisOnes) {
  runs_.Run(3);
  AuditRuns others(0, 2);
  others.Run(3);
  EXPECT_THAT(VerifyAll({.head = others.head(), .key = std::nullopt}).damage,
              HasSubstr("is not the one that the head knows"));
  EXPECT_THAT(VerifyAll({.head = others.head(), .key = runs_.signer().key}).damage, testing::Not(IsEmpty()));
}

TEST_F(VerifierTest, CheckpointSentElsewhereServesAsAHead) {
  runs_.Run(3);
  const std::string second = LineOf(Text(), 2);
  const auto head = Head::Parse(second);
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(VerifyAll({.head = *head, .key = runs_.signer().key}).damage, "");
}

// Who can write the files can make a chain that holds together; not one that is signed.
TEST_F(VerifierTest, ChainMadeAnewIsFoundByItsSignatures) {
  runs_.Run(3);
  AuditRuns forger(0, 2);
  forger.Run(3);
  EXPECT_EQ(Verify(forger.Files()).damage, "");
  EXPECT_THAT(Verify(forger.Files(), {.head = std::nullopt, .key = runs_.signer().key}).damage,
              HasSubstr("is not signed with the given key but with \"" + forger.signer().key.fingerprint()));
}

TEST_F(VerifierTest, SignatureCannotBeMovedToAnotherPlace) {
  runs_.Run(3);
  const std::string text = Text();
  const std::string second = LineOf(text, 2);
  const auto real = ReadChained(std::string_view(second).substr(0, second.size() - 1));
  // A chain of one record and the signed one's text behind it.
  Link last;
  std::string forged;
  std::string unnumbered;
  AppendUnnumbered(unnumbered, {.kind = Kind::kStop});
  AppendChained(forged, unnumbered, last);
  const std::string stolen =
      R"({"time":")" + std::string(real->time) + R"(","kind":"checkpoint")" + std::string(real->rest) + "}\n";
  AppendChained(forged, stolen, last);
  EXPECT_EQ(Verify({{"audit.jsonl", forged}}).damage, "");
  EXPECT_THAT(Verify({{"audit.jsonl", forged}}, {.head = std::nullopt, .key = runs_.signer().key}).damage,
              HasSubstr("checkpoint 2 has a false signature"));
}

TEST_F(VerifierTest, NothingIsIntactToo) {
  const Findings findings = Verify({{"audit.jsonl", ""}});
  EXPECT_EQ(findings.damage, "");
  EXPECT_EQ(findings.records, 0U);
}

TEST_F(VerifierTest, EndlessLineIsReadInBoundedMemory) {
  Verifier verifier({});
  verifier.BeginFile("audit.jsonl");
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 50; ++i) verifier.Add(zeros);
  verifier.Add("\n");
  verifier.EndFile();
  EXPECT_THAT(verifier.Finish().damage, HasSubstr("audit.jsonl:1: is no whole record"));
}

}  // namespace
}  // namespace lmbroker::audit
