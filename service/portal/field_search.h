#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "service/portal/json_lexer.h"
#include "service/portal/span.h"

namespace lmbroker::portal {

// Finds what is secret by its place in JSON text: string values of fields with a key-like name (IsKeyLike), also those
// in arrays under such a name, and the `value` of objects whose `name` is key-like. Empty values and values of stars
// alone stay.
//
// Reads a text in windows, each of which begins at kept() or before, and finds the same however the text is cut. What
// is not known in time counts as secret: a name longer than 1 KiB, a `value` whose object does not say its name within
// 64 KiB. Not synchronised.
class FieldSearch {
 public:
  // Adds spans, in any order. False when the nesting is too deep to follow.
  bool Search(const Window& window, std::vector<Span>& found);

  // What is before this is judged and not needed any more.
  std::size_t kept() const { return kept_; }

 private:
  enum class Member { kOther, kName, kValue };
  // An open object or array, and the member in it that is being read.
  struct Level {
    bool is_array = false;
    bool at_value = false;
    bool key_like = false;           // the member's name
    Member member = Member::kOther;  // by its name
    bool named = false;              // {"name": "ssh.pass", …
    bool named_key_like = false;
    std::optional<Span> value;  //  … "value": "…"}
  };

  void Take(char token, std::vector<Span>& found);
  void TakeName(Level& level, Span name);
  void TakeValue(Level& level, Span value, std::vector<Span>& found);
  void TakePart(std::vector<Span>& found);
  void SettleLate(std::vector<Span>& found);

  bool IsLate(const Level& level) const;
  void Settle(Level& level, std::vector<Span>& found, bool doubtful) const;
  void Hide(Span value, std::vector<Span>& found) const;
  void HideOn(Span value, std::vector<Span>& found);
  bool NamesKey(Span name) const;
  std::size_t FirstNeeded() const;

  Window window_;
  JsonLexer lexer_;
  std::vector<Level> levels_ = {{}};  // the lowest is for what stands outside of every bracket
  std::size_t hidden_to_ = 0;         // of a string that is hidden part by part
  std::size_t kept_ = 0;
};

}  // namespace lmbroker::portal
