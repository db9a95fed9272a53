#pragma once

// The chain that holds the audit together. A line, which is one record, reads
//
//   {"seq":7,"time":"…","kind":"…", … ,"prev":"<64 hex digits>","hash":"<64 hex digits>"}
//
// `hash` is SHA-256 over the bytes of the line before `,"hash"`; `prev` is the hash of the record with the number
// before, sixty-four zeros in record 1. So a line vouches for all before it, over files and restarts.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace lmbroker::audit {

// Where a chain has come to: its last record.
struct Link {
  std::uint64_t seq = 0;  // 0: before the first
  std::string hash = std::string(64, '0');
  bool operator==(const Link&) const = default;
};

// Appends the line, with its newline, that `unnumbered` (made by AppendUnnumbered and the like) is behind `last`, which
// becomes the new one.
void AppendChained(std::string& out, std::string_view unnumbered, Link& last);

// What a line says of itself. Views into it.
struct ChainedLine {
  std::string_view text;  // all of it
  std::uint64_t seq = 0;
  std::string_view time;
  std::string_view kind;
  std::string_view rest;  // the members between `kind` and `prev`, with a comma before each
  std::string_view prev;
  std::string_view hash;

  Link link() const { return {.seq = seq, .hash = std::string(hash)}; }
  std::string_view id() const;  // empty when it has none
};

// Reads a line without its newline. Nothing unless it has the form above, every byte of it, and its own hash is right.
std::optional<ChainedLine> ReadChained(std::string_view line);

// A record's time, as a line writes it.
std::optional<absl::Time> ReadTime(const ChainedLine& line);

}  // namespace lmbroker::audit
