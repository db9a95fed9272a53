// "Audit cannot be edited unseen": a journal of several runs, restarts, fragments and rotated files is changed at
// random, and every change is told. LMBROKER_MUTATIONS says how many.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "service/audit/verifier.h"
#include "tests/unit/audit/audit_runs.h"

namespace lmbroker::audit {
namespace {

using Journal = std::vector<NamedText>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kMutations = 10'000;
#else
constexpr int kMutations = 100'000;
#endif

int MutationCount() {
  const char* const wanted = std::getenv("LMBROKER_MUTATIONS");
  return wanted == nullptr ? kMutations : std::atoi(wanted);
}

void FillWithRuns(AuditRuns& runs) {
  runs.Run(12);
  runs.RunAndKill(9, R"({"seq":37,"time":"20)");
  runs.RunAndKill(3, "");
  runs.Run(0);
  runs.RunAndKill(14, std::string(700, '\0'));
  runs.Run(30);
  runs.RunAndKill(8, "{");
  runs.Run(17);
}

// Where the lines of a text begin, and its end.
std::vector<std::size_t> Borders(const std::string& text) {
  std::vector<std::size_t> borders = {0};
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    borders.push_back(at + 1);
  }
  if (borders.back() != text.size()) borders.push_back(text.size());
  return borders;
}

std::string Joined(const Journal& journal) {
  std::string text;
  for (const NamedText& file : journal) text += file.text;
  return text;
}

class Mutator {
 public:
  Mutator(const Journal& other, std::uint64_t seed) : other_(other), engine_(seed) {}

  // Changes a journal in one of many ways; says which.
  std::string Change(Journal& journal) {
    switch (Below(9)) {
      case 0:
      case 1:
        return Flip(Any(journal));
      case 2:
        return DropLines(Any(journal));
      case 3:
        return Duplicate(Any(journal), Any(journal));
      case 4:
        return Reorder(journal);
      case 5:
        return Truncate(journal);
      case 6:
        return SpliceLines(Any(journal), other_[Below(other_.size())]);
      case 7:
        return SpliceLines(Any(journal), NamedText(Any(journal)));
      default:
        return Insert(Any(journal));
    }
  }

 private:
  std::size_t Below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_); }
  NamedText& Any(Journal& journal) { return journal[Below(journal.size())]; }

  struct Range {
    std::size_t start;
    std::size_t end;
  };
  // One to three lines of a text.
  Range AnyLines(const std::string& text) {
    const auto borders = Borders(text);
    if (borders.size() < 2) return {0, 0};
    const std::size_t first = Below(borders.size() - 1);
    const std::size_t last = std::min(first + 1 + Below(3), borders.size() - 1);
    return {borders[first], borders[last]};
  }
  std::size_t AnyBorder(const std::string& text) {
    const auto borders = Borders(text);
    return borders[Below(borders.size())];
  }

  std::string Flip(NamedText& file) {
    if (file.text.empty()) return "nothing";
    char& byte = file.text[Below(file.text.size())];
    byte = static_cast<char>(byte ^ (1 << Below(8)));
    return "flip";
  }
  std::string DropLines(NamedText& file) {
    const Range lines = AnyLines(file.text);
    file.text.erase(lines.start, lines.end - lines.start);
    return "drop";
  }
  std::string Duplicate(const NamedText& from, NamedText& to) {
    const Range lines = AnyLines(from.text);
    const std::string copy = from.text.substr(lines.start, lines.end - lines.start);
    to.text.insert(AnyBorder(to.text), copy);
    return "duplicate";
  }
  std::string Reorder(Journal& journal) {
    if (Below(4) == 0) {
      std::swap(Any(journal).text, Any(journal).text);
      return "swap files";
    }
    NamedText& file = Any(journal);
    const Range lines = AnyLines(file.text);
    const std::string moved = file.text.substr(lines.start, lines.end - lines.start);
    file.text.erase(lines.start, lines.end - lines.start);
    NamedText& to = Below(2) == 0 ? file : Any(journal);
    to.text.insert(AnyBorder(to.text), moved);
    return "reorder";
  }
  std::string Truncate(Journal& journal) {
    const std::size_t at = Below(journal.size());
    std::string& text = journal[at].text;
    text.resize(Below(text.size() + 1));
    if (Below(2) == 0) {
      for (std::size_t i = at + 1; i < journal.size(); ++i) journal[i].text.clear();
    }
    return "truncate";
  }
  std::string SpliceLines(NamedText& file, const NamedText& source) {
    const Range from = AnyLines(source.text);
    const Range to = AnyLines(file.text);
    file.text.replace(to.start, to.end - to.start, source.text.substr(from.start, from.end - from.start));
    return "splice";
  }
  std::string Insert(NamedText& file) {
    std::string text(1 + Below(40), '\0');
    for (char& byte : text) byte = static_cast<char>(Below(256));
    if (Below(2) == 0) text += '\n';
    file.text.insert(Below(2) == 0 ? AnyBorder(file.text) : Below(file.text.size() + 1), text);
    return "insert";
  }

  const Journal& other_;
  std::mt19937_64 engine_;
};

class MutationTest : public testing::Test {
 protected:
  MutationTest() {
    FillWithRuns(runs_);
    FillWithRuns(others_);
    journal_ = runs_.Files();
    Verifier verifier({.head = runs_.head(), .key = std::nullopt});
    for (const NamedText& file : journal_) {
      before_.push_back(verifier);
      Read(verifier, file);
    }
    intact_ = verifier.Finish();
  }

  static void Read(Verifier& verifier, const NamedText& file) {
    verifier.BeginFile(file.name);
    verifier.Add(file.text);
    verifier.EndFile();
  }

  // What is told of a journal that has these files, the first of which that is not as it was being `from`.
  Findings Verify(const Journal& journal, std::size_t from) const {
    Verifier verifier = before_[from];
    for (std::size_t i = from; i < journal.size() && !verifier.damaged(); ++i) Read(verifier, journal[i]);
    return verifier.Finish();
  }

  AuditRuns runs_{5000};
  AuditRuns others_{5000, 2};
  Journal journal_;
  std::vector<Verifier> before_;  // each file
  Findings intact_;
};

TEST_F(MutationTest, JournalThatNobodyChangedIsIntact) {
  EXPECT_EQ(intact_.damage, "");
  EXPECT_EQ(intact_.first, 1U);
  EXPECT_GT(intact_.records, 200U);
  EXPECT_GT(intact_.checkpoints, 20U);
  EXPECT_GT(journal_.size(), 10U);
}

TEST_F(MutationTest, EveryChangeIsTold) {
  const Journal other = others_.Files();
  Mutator mutator(other, 20'261'130);
  std::size_t unseen = 0;
  int changes = 0;
  for (int i = 0; i < MutationCount(); ++i) {
    Journal changed = journal_;
    const std::string how = mutator.Change(changed);
    std::size_t from = 0;
    while (from < changed.size() && changed[from].text == journal_[from].text) ++from;
    if (from == changed.size()) continue;  // two equal lines, for instance
    ++changes;
    const Findings findings = Verify(changed, from);
    // A beginning that is missing is no damage, and neither is a half line at the very end; both are said.
    if (findings.damage.empty() && findings.notes == intact_.notes) {
      if (Joined(changed) == Joined(journal_)) continue;  // moved over the border of two files, and nothing else
      ++unseen;
      ADD_FAILURE() << how << " of " << journal_[from].name << " in mutation " << i << " is not seen";
      if (unseen == 10) break;
    }
  }
  EXPECT_EQ(unseen, 0U);
  EXPECT_GT(changes, MutationCount() * 9 / 10);
}

}  // namespace
}  // namespace lmbroker::audit
