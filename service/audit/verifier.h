#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "service/audit/chain.h"
#include "service/audit/head.h"
#include "service/audit/marks.h"
#include "service/crypto/digest.h"
#include "service/crypto/ed25519.h"

namespace lmbroker::audit {

// What a verification found.
struct Findings {
  std::uint64_t records = 0;
  std::uint64_t first = 0;         // seq
  std::uint64_t last = 0;          // seq
  std::uint64_t checkpoints = 0;   // their signatures are good, where there was a key
  std::string damage;              // the first one, with its file and line; empty: none
  std::vector<std::string> notes;  // what is worth knowing and is no damage
};

// Checks the files of a chain, one after the other, in bounded memory. Finds every byte that was changed, added, left
// out or moved, except that a tail may be missing: behind the head's checkpoint, or without a head, at all. Not
// synchronised. A copy goes on from where the original is.
class Verifier {
 public:
  struct Options {
    std::optional<Head> head;
    std::optional<crypto::Ed25519PublicKey>
        key;  // of the broker; without it, whoever can write may have made the chain
  };

  explicit Verifier(Options options);

  // `name` is the path: a gap is believed only in a file that bears the name of the sink that had it.
  void BeginFile(std::string_view name);
  // The next bytes of the file, cut anywhere.
  void Add(std::string_view bytes);
  void EndFile();
  bool damaged() const { return !findings_.damage.empty(); }
  // Call once, after the last file.
  Findings Finish();

 private:
  void EndLine();
  void AddToFragment(std::string_view bytes);
  void AddRecord(const ChainedLine& record);
  void Follow(const ChainedLine& record, const std::optional<Fragment>& fragment);
  bool IsResumed(const ChainedLine& record, const std::optional<Fragment>& fragment);
  bool IsOfThisFile(std::string_view sink) const;
  void SayWhatIsWrong(const ChainedLine& record, bool fragment);
  void CheckMark(const ChainedLine& record);
  void NoteIntent(const ChainedLine& record);
  void CheckHead(const ChainedLine& record);
  void FinishHead();
  void FinishIntents();
  void Damage(std::string_view what);

  Options options_;
  Findings findings_;
  Link last_;
  bool head_found_ = false;

  std::string file_;
  std::uint64_t line_ = 0;      // number of the one that is being read
  std::string text_;            // of that line, up to the longest that a record may have
  bool too_long_ = false;       // its beginning has gone to the fragment
  bool in_fragment_ = false;    // what was read last is no record
  bool fragment_open_ = false;  // and has no newline yet
  std::uint64_t fragment_bytes_ = 0;
  std::uint64_t fragment_line_ = 0;
  crypto::Sha256Stream fragment_digest_;

  std::unordered_set<std::string> open_;  // ids of intents without an outcome
  bool open_overflowed_ = false;
};

}  // namespace lmbroker::audit
