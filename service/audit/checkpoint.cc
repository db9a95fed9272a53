#include "service/audit/checkpoint.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "service/audit/line.h"
#include "service/base/json_object.h"
#include "service/crypto/encoding.h"

namespace lmbroker::audit {
namespace {

// What is signed: the place of the checkpoint, its time, and through `prev` every byte before it.
std::string Message(std::uint64_t seq, std::string_view time, std::string_view prev) {
  return fmt::format("lmbroker audit checkpoint 1\n{}\n{}\n{}\n", seq, time, prev);
}

struct Members {
  std::string key_id;
  std::string signature;
};

Members MembersOf(const ChainedLine& line) {
  if (line.rest.empty()) return {};
  const auto json = nlohmann::json::parse("{" + std::string(line.rest.substr(1)) + "}", /*cb=*/nullptr,
                                          /*allow_exceptions=*/false);
  if (!json.is_object()) return {};
  const auto text = [&](std::string_view key) {
    const auto member = json.find(key);
    return member != json.end() && member->is_string() ? member->get<std::string>() : std::string();
  };
  return {.key_id = text("key_id"), .signature = text("signature")};
}

}  // namespace

bool AppendCheckpoint(std::string& out, absl::Time time, const Link& last, CheckpointSigner& signer) {
  std::string at;
  AppendTimestamp(at, time);
  const auto signature = signer.Sign(Message(last.seq + 1, at, last.hash));
  if (!signature.has_value()) return false;
  {
    JsonObject object(out);
    object.Text("time", at);
    object.Text("kind", KindName(Kind::kCheckpoint));
    object.Text("key_id", signature->key_id);
    object.Text("signature", crypto::EncodeBase64(signature->bytes));
  }
  out += '\n';
  return true;
}

bool IsSignedBy(const ChainedLine& checkpoint, const crypto::Ed25519PublicKey& key) {
  const auto signature = crypto::DecodeBase64(MembersOf(checkpoint).signature);
  return signature.has_value() && key.Verify(Message(checkpoint.seq, checkpoint.time, checkpoint.prev), *signature);
}

std::string KeyIdOf(const ChainedLine& checkpoint) { return MembersOf(checkpoint).key_id; }

}  // namespace lmbroker::audit
