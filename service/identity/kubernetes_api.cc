#include "service/identity/kubernetes_api.h"

#include <sys/stat.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker::identity {
namespace {

constexpr std::size_t kMostReplyBytes = std::size_t{256} << 10;
constexpr std::size_t kMostTokenBytes = std::size_t{16} << 10;
constexpr std::size_t kMostIdle = 4;
constexpr std::string_view kBearer = "Authorization: Bearer ";
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

// Header lines for one request. libcurl's copies are wiped, since one holds the broker's token.
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

std::size_t AppendBody(const char* data, std::size_t, std::size_t size, void* to) {
  std::string& body = *static_cast<std::string*>(to);
  if (body.size() + size > kMostReplyBytes) return 0;  // ends the transfer
  body.append(data, size);
  return size;
}

std::string StateOf(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return "none";
  return fmt::format("{}:{}:{}.{}", status.st_ino, status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

// One transfer with the same handle may reuse its connection.
bool SetOptions(CURL* handle, const KubernetesApi::Options& options) {
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");  // also none of the environment
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_CAINFO, options.ca.empty() ? kSystemBundle : options.ca.c_str());
  set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options.timeout)));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options.timeout)));
  set(CURLOPT_WRITEFUNCTION, &AppendBody);
  set(CURLOPT_USERAGENT, "lmbroker");
  return good;
}

}  // namespace

KubernetesApi::KubernetesApi(Options options) : options_(std::move(options)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counts; if it fails, so does every handle
  std::signal(SIGPIPE, SIG_IGN);          // NOLINT(cert-err33-c): SIGPIPE can always be ignored
}

absl::StatusOr<ApiReply> KubernetesApi::Get(std::string_view path) { return Send(path, nullptr); }

absl::StatusOr<ApiReply> KubernetesApi::Post(std::string_view path, const Secret& json) { return Send(path, &json); }

absl::StatusOr<ApiReply> KubernetesApi::Send(std::string_view path, const Secret* json) {
  ASSIGN_OR_RETURN(const Secret authorization, Authorization());
  Handle handle = TakeHandle();
  HeaderLines headers;
  bool good = handle != nullptr && SetOptions(handle.get(), options_) && headers.Add("Accept: application/json");
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): it ends in a NUL
  if (!authorization.empty()) good = good && headers.Add(authorization.Reveal().data());
  if (json != nullptr) good = good && headers.Add("Content-Type: application/json");
  if (!good) return absl::ResourceExhaustedError("libcurl cannot be set up");
  CURL* const easy = handle.get();
  const std::string url = options_.address + std::string(path);
  ApiReply reply;
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem.data());
  if (json != nullptr) {
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): its size is said, too; libcurl makes no copy
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, json->Reveal().data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(json->size()));
  }
  const CURLcode code = curl_easy_perform(easy);
  ERR_clear_error();
  if (code != CURLE_OK) {
    const std::string why = problem.front() == '\0' ? curl_easy_strerror(code) : problem.data();
    return absl::UnavailableError(fmt::format("the Kubernetes API at {} did not answer: {}", options_.address, why));
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  GiveBack(std::move(handle));
  return reply;
}

// The whole header line, with a NUL behind it; empty when there is no token to send.
absl::StatusOr<Secret> KubernetesApi::Authorization() const {
  if (options_.token_file.empty()) return Secret();
  // Kubernetes mounts tokens so that the pod's group may read them: the mode is not judged here.
  ASSIGN_OR_RETURN(std::string content, ReadFile(options_.token_file, kMostTokenBytes));
  const Secret token(content);
  Wipe(content.data(), content.size());
  std::string_view text = token.Reveal();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.empty() || HasControl(text)) {
    return absl::FailedPreconditionError(fmt::format("{} holds no token", options_.token_file));
  }
  Secret line = Secret::WithSize(kBearer.size() + text.size() + 1);
  kBearer.copy(line.data(), kBearer.size());
  text.copy(line.data() + kBearer.size(), text.size());
  return line;
}

KubernetesApi::Handle KubernetesApi::TakeHandle() {
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
void KubernetesApi::GiveBack(Handle handle) {
  curl_easy_reset(handle.get());
  const MutexLock lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(handle));
}

}  // namespace lmbroker::identity
