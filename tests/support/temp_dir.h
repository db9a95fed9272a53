#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace lmbroker {

// An empty directory of the test's own, removed with all that is in it.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "lmbroker-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  // The path of `name` in it.
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Replaces the content of `path`; a new file gets mode 0600.
inline void WriteFile(const std::string& path, std::string_view content) {
  const bool is_new = !std::filesystem::exists(path);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  using std::filesystem::perms;
  if (is_new) std::filesystem::permissions(path, perms::owner_read | perms::owner_write);
}

}  // namespace lmbroker
