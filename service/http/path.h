#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace lmbroker::http {

// A resource path with exactly one reading (contract, section 2, "Path"): the decoded form is matched and signed, its
// one encoding is sent. A value; a default-constructed one is empty and stands for no path.
class CanonicalPath {
 public:
  CanonicalPath() = default;

  // From what the caller wrote, literally: "/device/devices". PATH_NOT_PLAIN for anything that could be read in a
  // second way; nothing is repaired.
  static absl::StatusOr<CanonicalPath> Parse(std::string_view literal);

  const std::string& decoded() const { return decoded_; }
  const std::string& encoded() const { return encoded_; }
  // The parts between the slashes of decoded(), at least one; they live as long as this object.
  std::vector<std::string_view> segments() const;

  bool operator==(const CanonicalPath& other) const { return decoded_ == other.decoded_; }

 private:
  std::string decoded_;
  std::string encoded_;
};

}  // namespace lmbroker::http
