#include "service/sign/signer.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "service/crypto/encoding.h"
#include "service/crypto/hmac.h"
#include "service/sign/lmv1_message.h"

namespace lmbroker::sign {
namespace {

// The parts in a row, without a copy outside the Secret.
Secret Join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  Secret joined = Secret::WithSize(size);
  char* end = joined.data();
  for (const std::string_view part : parts) end = std::copy(part.begin(), part.end(), end);
  return joined;
}

// logicmonitor-api, section 2.1: the digest in hex, and that in base64.
Secret Lmv1Authorization(const http::CanonicalRequest& request, const Key& key, absl::Time now) {
  const std::string epoch = Lmv1Epoch(now);
  const Lmv1Message message = MakeLmv1Message(request, epoch);
  const crypto::Digest mac =
      crypto::HmacSha256(key.secret, {message.method, message.epoch, message.body, message.path});
  const std::string signature = crypto::EncodeBase64(crypto::EncodeHex(crypto::Bytes(mac)));
  return Join({"LMv1 ", key.access_id, ":", signature, ":", epoch});
}

Secret Authorization(const http::CanonicalRequest& request, const Key& key, absl::Time now) {
  switch (key.type) {
    case TokenType::kLmv1:
      return Lmv1Authorization(request, key, now);
    case TokenType::kBearer:
      return Join({"Bearer ", key.secret.Reveal()});
  }
  return {};
}

}  // namespace

http::OutgoingRequest Signer::Sign(const policy::AuthorizedCall& call, const Key& key, absl::Time now,
                                   std::string request_id) {
  return {call.portal(), call.shared_request(), Authorization(call.request(), key, now), std::move(request_id)};
}

}  // namespace lmbroker::sign
