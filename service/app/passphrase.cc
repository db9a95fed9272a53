#include "service/app/passphrase.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"

namespace lmbroker::app {
namespace {

constexpr std::size_t kMostBytes = 4096;

Secret FirstLine(std::string_view text) {
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return Secret(line);
}

// A byte at a time, so that nothing behind the line is taken.
absl::StatusOr<Secret> ReadLine() {
  Secret line = Secret::WithSize(kMostBytes);
  std::size_t size = 0;
  while (size < kMostBytes) {
    const ssize_t count = read(STDIN_FILENO, line.data() + size, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || line.data()[size] == '\n') return FirstLine(line.Reveal().substr(0, size));
    ++size;
  }
  return absl::FailedPreconditionError(fmt::format("the passphrase has more than {} bytes", kMostBytes - 1));
}

absl::StatusOr<Secret> AskTerminal(std::string_view prompt) {
  termios shown{};
  if (tcgetattr(STDIN_FILENO, &shown) != 0) {
    return absl::FailedPreconditionError("cannot ask for the passphrase at this terminal");
  }
  termios hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  fmt::print(stderr, "{}: ", prompt);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  const absl::Cleanup restore = [&shown] {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fmt::print(stderr, "\n");
  };
  return ReadLine();
}

}  // namespace

absl::StatusOr<Secret> ReadPassphrase(const std::string& file, bool new_one) {
  if (!file.empty()) {
    ASSIGN_OR_RETURN(const Secret text, ReadSecretFile(file, kMostBytes));
    return FirstLine(text.Reveal());
  }
  if (isatty(STDIN_FILENO) == 0) return ReadLine();
  ASSIGN_OR_RETURN(Secret passphrase, AskTerminal("Passphrase of the key ring"));
  if (!new_one) return passphrase;
  ASSIGN_OR_RETURN(const Secret again, AskTerminal("Again"));
  if (passphrase == again) return passphrase;
  return absl::FailedPreconditionError("the two passphrases differ");
}

}  // namespace lmbroker::app
