#pragma once

// One line of the audit (contract, section 4, "Audit record"). Values only; never a body, never a key.

#include <cstdint>
#include <optional>
#include <string>

#include <absl/time/time.h>

namespace lmbroker::audit {

enum class Kind { kIntent, kOutcome, kRefusals, kCheckpoint, kStart, kStop, kGap };

enum class Decision { kNone, kAllowed, kRefused };

// Empty strings and unset optionals are left out of the line.
struct Record {
  Kind kind = Kind::kIntent;
  absl::Time time;
  std::string id;  // the request id, the same in intent and outcome
  std::string caller;
  std::string identity;
  std::string certificate_identity;  // beside a JWT's
  std::string peer;                  // address and port, e.g. "ipv4:10.0.0.7:43210"
  std::string method;                // gRPC, e.g. "/lmbroker.v1.ForwardService/Forward"
  std::string portal;
  std::string resource;
  std::string rule;
  std::string credential;
  std::string access_id;
  std::string http_method;
  std::string path;
  std::string query_digest;
  std::string body_digest;
  Decision decision = Decision::kNone;
  std::string code;    // gRPC code name, outcome only
  std::string reason;  // our reason code, outcome only
  std::optional<int> http_status;
  std::optional<int> attempts;  // at the portal; 0 when the reply was a kept one
  std::optional<std::int64_t> duration_us;
  std::optional<std::int64_t> count;  // kRefusals
};

}  // namespace lmbroker::audit
