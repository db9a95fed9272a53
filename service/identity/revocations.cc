#include "service/identity/revocations.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "lmbroker/config/v1/config.pb.h"
#include "service/base/identity_text.h"
#include "service/base/yaml_message.h"

namespace lmbroker::identity {
namespace {

constexpr std::size_t kMostDigits = 64;  // authorities give 40 at most (RFC 5280, section 4.1.2.2)

// In the form of HasSerial; nothing for what is none.
std::optional<std::string> SerialOf(std::string_view text) {
  if (text.empty() || text.size() > kMostDigits) return std::nullopt;
  std::string serial;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
    if (c != '0' || !serial.empty()) serial += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return serial.empty() ? "0" : serial;
}

}  // namespace

std::shared_ptr<const Revocations> Revocations::Parse(std::string_view text, Issues& issues) {
  config::v1::Revocations file;
  ReadYaml(text, file, issues);
  auto revocations = std::make_shared<Revocations>();
  for (int i = 0; i < file.serials_size(); ++i) {
    auto serial = SerialOf(file.serials(i));
    if (!serial.has_value()) {
      issues.Add(ItemPath("serials", static_cast<std::size_t>(i)), "must be 1 to 64 hex digits");
    } else {
      revocations->serials_.insert(*std::move(serial));
    }
  }
  for (int i = 0; i < file.identities_size(); ++i) {
    const std::string& identity = file.identities(i);
    const std::string_view problem = IdentityProblem(identity);
    if (!problem.empty()) issues.Add(ItemPath("identities", static_cast<std::size_t>(i)), problem);
    revocations->identities_.insert(identity);
  }
  return issues.empty() ? revocations : nullptr;
}

}  // namespace lmbroker::identity
