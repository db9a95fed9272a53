// The verifier, given anything as an audit file: it ends, what it says is bounded, it does not depend on how the file
// comes in pieces, and nothing but a record that follows can be put behind an intact chain. The input is the text of a
// file; where it holds FF, the file goes on behind that in the next one.

#include "service/audit/chain.h"
#include "service/audit/head.h"
#include "service/audit/line.h"
#include "service/audit/marks.h"
#include "service/audit/verifier.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

audit::Findings Verify(const std::vector<std::string>& files, std::size_t piece) {
  audit::Verifier verifier({});
  for (std::size_t i = 0; i < files.size(); ++i) {
    verifier.BeginFile(i + 1 == files.size() ? "audit.jsonl" : "audit.jsonl." + std::to_string(i + 1));
    for (std::size_t at = 0; at < files[i].size(); at += piece) {
      verifier.Add(std::string_view(files[i]).substr(at, piece));
    }
    verifier.EndFile();
  }
  return verifier.Finish();
}

// What a line says of itself, made into a line again, is that line.
void CheckLine(std::string_view text) {
  const auto line = audit::ReadChained(text);
  if (!line.has_value()) return;
  Require(line->seq > 0 && line->hash.size() == 64 && line->prev.size() == 64, "a record has its parts");
  audit::Link last{.seq = line->seq - 1, .hash = std::string(line->prev)};
  const std::string unnumbered = "{\"time\":\"" + std::string(line->time) + "\",\"kind\":\"" + std::string(line->kind) +
                                 "\"" + std::string(line->rest) + "}\n";
  std::string again;
  audit::AppendChained(again, unnumbered, last);
  again.pop_back();
  Require(again == text, "a line has one reading");
  Require(last == line->link(), "a line is where it says that it is");
  (void)audit::ReadTime(*line);
  (void)audit::ReadResumptions(*line);
  (void)audit::ReadClosed(*line);
  (void)audit::Head::Parse(text);
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  const std::vector<std::string> files = Split(input);
  for (const std::string& file : files) {
    std::string_view rest(file);
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      CheckLine(line);
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
  }
  const audit::Findings whole = Verify(files, 1 << 20);
  const audit::Findings pieces = Verify(files, 7);
  Require(whole.damage == pieces.damage && whole.notes == pieces.notes && whole.records == pieces.records,
          "pieces make no difference");
  Require(whole.notes.size() < 300 && whole.damage.size() < 1000, "what is said is bounded");
  if (!whole.damage.empty()) return;
  // A byte more is a fragment, or no record.
  std::vector<std::string> longer = files;
  longer.back() += "x\n";
  Require(!Verify(longer, 1 << 20).damage.empty(), "what is no record is damage");
}

}  // namespace lmbroker::fuzz
