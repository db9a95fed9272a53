#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "lmbroker/config/v1/policy.pb.h"
#include "service/base/issues.h"
#include "service/base/names.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// Makes grants of their entries in a policy file. Problems go into the issues, all of them; a grant with one may be
// missing.
class GrantParser {
 public:
  GrantParser(const std::set<PortalName>& portals, Issues& issues) : portals_(portals), issues_(issues) {}

  // `path` is the key path of the entry, `rule` the name under which decisions show it.
  std::optional<ForwardGrant> ParseForward(const config::v1::ForwardGrant& entry, const std::string& path,
                                           const std::string& rule);
  std::optional<TokensGrant> ParseTokens(const config::v1::TokenGrant& entry, const std::string& path,
                                         const std::string& rule);
  std::optional<PortalName> ParsePortal(const std::string& id, const std::string& path);
  // `management`, `ingest`, or management when it is absent.
  std::optional<http::Api> ParseApi(const std::string& name, bool present, const std::string& path);

 private:
  std::vector<std::int32_t> ParseAdmins(const config::v1::TokenGrant& entry, const std::string& path);
  std::vector<TokenType> ParseTypes(const config::v1::TokenGrant& entry, const std::string& path);
  std::vector<Verb> ParseVerbs(const config::v1::TokenGrant& entry, const std::string& path);
  // A duration that must be longer than nothing.
  std::optional<absl::Duration> ParseTime(const google::protobuf::Duration& duration, const std::string& path);

  const std::set<PortalName>& portals_;
  Issues& issues_;
};

}  // namespace lmbroker::policy
