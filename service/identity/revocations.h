#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "service/base/issues.h"

namespace lmbroker::identity {

// Who is shut out although certificate or token are good: the file that `listen.tls.revoked` names.
class Revocations {
 public:
  // The file's text, YAML. Null when anything is wrong with it; `issues` then has it all.
  static std::shared_ptr<const Revocations> Parse(std::string_view text, Issues& issues);

  // A certificate's serial number: hex in upper case, without leading zeros.
  bool HasSerial(std::string_view serial) const { return serials_.contains(serial); }
  // As policy files write it.
  bool HasIdentity(std::string_view identity) const { return identities_.contains(identity); }

  bool empty() const { return serials_.empty() && identities_.empty(); }
  bool has_serials() const { return !serials_.empty(); }
  std::size_t size() const { return serials_.size() + identities_.size(); }

 private:
  std::set<std::string, std::less<>> serials_;
  std::set<std::string, std::less<>> identities_;
};

}  // namespace lmbroker::identity
