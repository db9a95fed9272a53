#include "client/cli/input.h"

#include <termios.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace lmbroker::cli {
namespace {

constexpr std::size_t kMostSecretBytes = std::size_t{64} * 1024;
constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;
constexpr std::size_t kMostBodyBytes = std::size_t{256} * 1024 * 1024;

// Asks on the terminal and keeps it from showing what is typed, as long as this object lives.
class HiddenPrompt {
 public:
  explicit HiddenPrompt(std::ostream& err) : err_(err) {
    err_ << "Secret: " << std::flush;
    hidden_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (hidden_) hidden_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~HiddenPrompt() {
    if (hidden_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    err_ << '\n';
  }
  HiddenPrompt(const HiddenPrompt&) = delete;
  HiddenPrompt& operator=(const HiddenPrompt&) = delete;

 private:
  std::ostream& err_;
  termios before_{};
  bool hidden_ = false;
};

absl::StatusOr<Secret> ReadSecretFrom(std::istream& in, bool one_line) {
  Secret buffer = Secret::WithSize(kMostSecretBytes + 2);  // room for the line end
  const auto size = static_cast<std::streamsize>(buffer.size());
  if (one_line) {
    in.getline(buffer.data(), size);
  } else {
    in.read(buffer.data(), size);
  }
  std::string_view secret = buffer.Reveal().substr(0, static_cast<std::size_t>(in.gcount()));
  if (one_line && secret.ends_with('\0')) secret.remove_suffix(1);  // getline counts the line end
  if (secret.ends_with('\n')) secret.remove_suffix(1);
  if (secret.ends_with('\r')) secret.remove_suffix(1);
  if (secret.empty()) return absl::InvalidArgumentError("There is no secret in the input.");
  if (secret.size() > kMostSecretBytes) return absl::InvalidArgumentError("The secret has more than 64 KiB.");
  return Secret(secret);
}

}  // namespace

absl::StatusOr<Secret> ReadSecret(const std::string& file, Io& io) {
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    if (!in.is_open()) return absl::InvalidArgumentError(fmt::format("The file {} cannot be read.", file));
    return ReadSecretFrom(in, false);
  }
  if (&io.in == &std::cin && isatty(STDIN_FILENO) == 1) {
    const HiddenPrompt prompt(io.err);
    return ReadSecretFrom(io.in, true);
  }
  return ReadSecretFrom(io.in, false);
}

absl::StatusOr<std::string> ReadBody(const std::string& file, Io& io) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened.is_open()) return absl::InvalidArgumentError(fmt::format("The file {} cannot be read.", file));
  }
  std::istream& in = file == "-" ? io.in : opened;
  std::string body;
  std::string block(kBlockBytes, '\0');
  do {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    body.append(block, 0, static_cast<std::size_t>(in.gcount()));
    if (body.size() > kMostBodyBytes) return absl::InvalidArgumentError("The body has more than 256 MiB.");
  } while (in);
  if (in.bad()) return absl::InvalidArgumentError(fmt::format("The body cannot be read from {}.", file));
  return body;
}

}  // namespace lmbroker::cli
