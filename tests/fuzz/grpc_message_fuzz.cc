// The messages of a call are the same however the network cuts them, and stay in their bounds; what stands in gRPC's
// header fields is read and written as it should be. Input: a byte that says how, and the bytes of a call.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/time/time.h>

#include "service/rpc/wire.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

constexpr std::size_t kMost = 256;
constexpr std::size_t kRoom = 200;  // less than the largest message needs
constexpr std::array<std::string_view, 4> kCodings = {"", "identity", "gzip", "deflate"};

struct Outcome {
  std::vector<std::string> messages;
  absl::Status status;
  bool within = false;
};

// Reads the bytes in pieces of so many.
Outcome Read(std::string_view bytes, std::size_t most_piece, const rpc::MessageCoding& coding) {
  ByteBudget budget(kRoom);
  Outcome outcome;
  {
    rpc::MessageReader reader(kMost, coding, budget);
    while (outcome.status.ok() && !bytes.empty()) {
      std::string_view piece = bytes.substr(0, most_piece);
      bytes.remove_prefix(piece.size());
      while (true) {
        auto next = reader.Next(piece);
        outcome.status = next.status();
        if (!next.ok() || !next->has_value()) break;
        Require((*next)->size() <= kMost, "a message is bounded");
        outcome.messages.push_back(**std::move(next));
      }
      Require(!outcome.status.ok() || piece.empty(), "what came is taken");
    }
    outcome.within = reader.within();
    const bool goes_on = outcome.within && outcome.status.ok();
    Require(goes_on || budget.taken() == 0, "between messages and after a refusal nothing is held");
  }
  Require(budget.taken() == 0, "in the end nothing is held");
  return outcome;
}

void RequireOneOf(const absl::Status& status, std::initializer_list<Reason> reasons) {
  const auto reason = ReasonOf(status);
  Require(reason.has_value() && std::find(reasons.begin(), reasons.end(), *reason) != reasons.end(),
          "the reason of the refusal");
  RequireRefusal(status, *reason);
}

void TryFields(std::string_view text) {
  if (const auto timeout = rpc::ParseTimeout(text); timeout.has_value()) {
    Require(text.size() <= 9, "a timeout has eight digits at most");
    Require(*timeout >= absl::ZeroDuration() && *timeout <= absl::Hours(99'999'999), "a timeout is a time");
  }
  const rpc::MessageCoding coding = rpc::ParseMessageCoding(text);
  Require(coding.known || !coding.coding.has_value(), "what is not known is none");

  std::string printable;  // and needs no escape
  for (char c = ' '; c <= '~'; ++c) {
    if (c != '%') printable += c;
  }
  const std::string bytes(text);
  for (const auto& [name, value] : rpc::TrailersOf({.code = 2, .message = bytes, .details = bytes})) {
    for (const char c : value) Require(c >= ' ' && c <= '~', "a field can be printed");
    if (name == "grpc-message") Require(Decoded(value, printable) == text, "what was encoded comes back");
    std::string details;
    if (name == "grpc-status-details-bin") {
      Require(value.find('=') == std::string::npos, "there is no padding");
      Require(absl::Base64Unescape(value, &details) && details == text, "details come back");
    }
  }
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const auto way = static_cast<unsigned char>(input.front());
  const std::string_view bytes = input.substr(1);
  const rpc::MessageCoding coding = rpc::ParseMessageCoding(kCodings[way % kCodings.size()]);
  Require(coding.known, "these are known");

  const Outcome whole = Read(bytes, bytes.size() + 1, coding);
  if (!whole.status.ok()) {
    RequireOneOf(whole.status, {Reason::kBodyTooLarge, Reason::kQueueFull, Reason::kFieldInvalid});
  }
  const Outcome cut = Read(bytes, 1 + way / kCodings.size() % 16, coding);
  Require(whole.messages == cut.messages, "the messages do not depend on the cuts");
  Require(whole.status.code() == cut.status.code() && ReasonOf(whole.status) == ReasonOf(cut.status),
          "the verdict does not depend on the cuts");
  Require(!whole.status.ok() || whole.within == cut.within, "the end does not depend on the cuts");

  TryFields(bytes);
}

}  // namespace lmbroker::fuzz
