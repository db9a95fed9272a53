#include "service/base/https_service.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker {
namespace {

constexpr std::size_t kMostTokenBytes = std::size_t{16} << 10;
constexpr std::size_t kMostIdle = 4;
constexpr std::size_t kFirstBodyBytes = std::size_t{4} << 10;
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

// Header lines for one request. libcurl's copies are wiped, since one holds the token.
class HeaderLines {
 public:
  HeaderLines() = default;
  ~HeaderLines() {
    for (const curl_slist* line = lines_; line != nullptr; line = line->next) {
      Wipe(line->data, std::string_view(line->data).size());
    }
    curl_slist_free_all(lines_);
  }
  HeaderLines(const HeaderLines&) = delete;
  HeaderLines& operator=(const HeaderLines&) = delete;

  // False without memory.
  bool Add(const char* line) {
    curl_slist* const longer = curl_slist_append(lines_, line);
    if (longer == nullptr) return false;
    lines_ = longer;
    return true;
  }
  curl_slist* get() const { return lines_; }

 private:
  curl_slist* lines_ = nullptr;
};

// A reply as it comes.
class Body {
 public:
  explicit Body(std::size_t most) : most_(most) {}

  Secret Take() const { return Secret(bytes_.Reveal().substr(0, size_)); }

  // False when it becomes too long.
  bool Append(std::string_view piece) {
    if (piece.size() > most_ - size_) return false;
    if (piece.size() > bytes_.size() - size_) {
      Secret larger = Secret::WithSize(std::min(most_, std::max(2 * bytes_.size(), size_ + piece.size())));
      bytes_.Reveal().copy(larger.data(), size_);
      bytes_ = std::move(larger);
    }
    piece.copy(bytes_.data() + size_, piece.size());
    size_ += piece.size();
    return true;
  }

 private:
  const std::size_t most_;
  Secret bytes_ = Secret::WithSize(std::min(most_, kFirstBodyBytes));
  std::size_t size_ = 0;
};

std::size_t AppendBody(const char* data, std::size_t, std::size_t size, void* body) {
  return static_cast<Body*>(body)->Append({data, size}) ? size : 0;  // 0 ends the transfer
}

// Of a file whose mode is not judged.
absl::StatusOr<Secret> ReadSharedToken(const std::string& path) {
  ASSIGN_OR_RETURN(std::string content, ReadFile(path, kMostTokenBytes));
  Secret token(content);
  Wipe(content.data(), content.size());
  return token;
}

std::string StateOf(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return "none";
  return fmt::format("{}:{}:{}.{}", status.st_ino, status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

bool SetOptions(CURL* handle, const HttpsService::Options& options) {
  bool good = handle != nullptr;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  const auto timeout = static_cast<long>(absl::ToInt64Milliseconds(options.timeout));
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");  // also none of the environment
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_CAINFO, options.ca.empty() ? kSystemBundle : options.ca.c_str());
  set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, timeout);
  set(CURLOPT_CONNECTTIMEOUT_MS, timeout);
  set(CURLOPT_WRITEFUNCTION, &AppendBody);
  set(CURLOPT_USERAGENT, "lmbroker");
  return good;
}

}  // namespace

HttpsService::HttpsService(Options options, const Kind& kind) : options_(std::move(options)), kind_(kind) {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counts; if it fails, so does every handle
  std::signal(SIGPIPE, SIG_IGN);          // NOLINT(cert-err33-c): SIGPIPE can always be ignored
}

absl::StatusOr<HttpsReply> HttpsService::Get(std::string_view path) { return Send(path, nullptr); }

absl::StatusOr<HttpsReply> HttpsService::Post(std::string_view path, const Secret& json) { return Send(path, &json); }

absl::StatusOr<HttpsReply> HttpsService::Send(std::string_view path, const Secret* json) {
  ASSIGN_OR_RETURN(const Secret token_line, TokenLine());
  Handle handle = TakeHandle();
  HeaderLines headers;
  bool good = SetOptions(handle.get(), options_) && headers.Add("Accept: application/json");
  if (kind_.header != nullptr) good = good && headers.Add(kind_.header);
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): it ends in a NUL
  if (!token_line.empty()) good = good && headers.Add(token_line.Reveal().data());
  if (json != nullptr) good = good && headers.Add("Content-Type: application/json");
  if (!good) return absl::UnavailableError("libcurl cannot be set up");
  CURL* const easy = handle.get();
  const std::string url = options_.address + std::string(path);
  Body body(kind_.most_reply_bytes);
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem.data());
  if (json != nullptr) {
    const std::string_view text = json->Reveal();
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(text.size()));
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): its size is said above
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text.data());  // libcurl makes no copy
  }
  const CURLcode code = curl_easy_perform(easy);
  ERR_clear_error();
  if (code != CURLE_OK) {
    const std::string why = problem.front() == '\0' ? curl_easy_strerror(code) : problem.data();
    return absl::UnavailableError(fmt::format("{} at {} did not answer: {}", kind_.name, options_.address, why));
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  GiveBack(std::move(handle));
  return HttpsReply{.status = static_cast<int>(status), .body = body.Take()};
}

// The whole header line, with a NUL behind it; empty when there is no token to send.
absl::StatusOr<Secret> HttpsService::TokenLine() const {
  const std::string& file = options_.token_file;
  if (file.empty()) return Secret();
  absl::StatusOr<Secret> token = kind_.private_token ? ReadSecretFile(file, kMostTokenBytes) : ReadSharedToken(file);
  if (!token.ok()) return absl::FailedPreconditionError(token.status().message());
  std::string_view text = token->Reveal();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.empty() || HasControl(text)) {
    return absl::FailedPreconditionError(fmt::format("{} holds no token", file));
  }
  Secret line = Secret::WithSize(kind_.token_header.size() + text.size() + 1);
  kind_.token_header.copy(line.data(), kind_.token_header.size());
  text.copy(line.data() + kind_.token_header.size(), text.size());
  return line;
}

HttpsService::Handle HttpsService::TakeHandle() {
  std::vector<Handle> outdated;
  const MutexLock lock(mutex_);
  if (std::string now = StateOf(options_.ca); now != authorities_) {  // their connections were judged by other ones
    outdated.swap(idle_);
    authorities_ = std::move(now);
  }
  if (idle_.empty()) return Handle(curl_easy_init());
  Handle handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

// Forgets all of the request but its connection.
void HttpsService::GiveBack(Handle handle) {
  curl_easy_reset(handle.get());
  const MutexLock lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(handle));
}

}  // namespace lmbroker
