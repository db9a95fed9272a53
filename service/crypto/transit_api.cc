#include "service/crypto/transit_api.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>
#include <openssl/err.h>

#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker::crypto {
namespace {

constexpr std::size_t kMostReplyBytes = std::size_t{16} << 10;
constexpr std::size_t kMostTokenBytes = std::size_t{4} << 10;
constexpr std::string_view kTokenHeader = "X-Vault-Token: ";
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

// A reply as it comes, in locked memory from the first byte.
struct Body {
  Secret bytes = Secret::WithSize(kMostReplyBytes);
  std::size_t size = 0;
};

std::size_t AppendBody(const char* data, std::size_t, std::size_t size, void* to) {
  Body& body = *static_cast<Body*>(to);
  if (size > kMostReplyBytes - body.size) return 0;  // ends the transfer
  std::memcpy(body.bytes.data() + body.size, data, size);
  body.size += size;
  return size;
}

// Wipes libcurl's copies: one is the token's.
void FreeHeaders(curl_slist* lines) {
  for (const curl_slist* line = lines; line != nullptr; line = line->next) Wipe(line->data, std::strlen(line->data));
  curl_slist_free_all(lines);
}

bool SetOptions(CURL* handle, const TransitApi::Options& options) {
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  const long timeout = static_cast<long>(absl::ToInt64Milliseconds(options.timeout));
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

TransitApi::TransitApi(Options options) : options_(std::move(options)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counts; if it fails, so does every handle
}

absl::StatusOr<TransitReply> TransitApi::Post(std::string_view path, const Secret& json) {
  ASSIGN_OR_RETURN(const Secret token_line, TokenLine());
  const MutexLock lock(mutex_);
  return Send(options_.address + std::string(path), json, token_line);
}

absl::StatusOr<TransitReply> TransitApi::Send(const std::string& url, const Secret& json, const Secret& token_line) {
  if (handle_ == nullptr) handle_.reset(curl_easy_init());
  curl_slist* headers = nullptr;
  const absl::Cleanup free_headers = [&headers] { FreeHeaders(headers); };
  for (const char* line : {"Accept: application/json", "Content-Type: application/json", "X-Vault-Request: true",
                           token_line.Reveal().data()}) {
    curl_slist* const longer = curl_slist_append(headers, line);
    if (longer == nullptr) return absl::UnavailableError("libcurl cannot be set up");
    headers = longer;
  }
  CURL* const easy = handle_.get();
  if (easy == nullptr || !SetOptions(easy, options_)) return absl::UnavailableError("libcurl cannot be set up");
  Body body;
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, json.Reveal().data());  // not copied
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(json.size()));
  const CURLcode code = curl_easy_perform(easy);
  ERR_clear_error();
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_reset(easy);  // forgets all of the request but its connection
  if (code != CURLE_OK) {
    handle_.reset();
    const std::string why = problem.front() == '\0' ? curl_easy_strerror(code) : problem.data();
    return absl::UnavailableError(fmt::format("the key service at {} did not answer: {}", options_.address, why));
  }
  return TransitReply{.status = static_cast<int>(status), .body = Secret(body.bytes.Reveal().substr(0, body.size))};
}

// The whole header line, with a NUL behind it.
absl::StatusOr<Secret> TransitApi::TokenLine() const {
  absl::StatusOr<Secret> token = ReadSecretFile(options_.token_file, kMostTokenBytes);
  if (!token.ok()) return absl::FailedPreconditionError(token.status().message());
  std::string_view text = token->Reveal();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.empty() || HasControl(text)) {
    return absl::FailedPreconditionError(fmt::format("{} holds no token", options_.token_file));
  }
  Secret line = Secret::WithSize(kTokenHeader.size() + text.size() + 1);
  kTokenHeader.copy(line.data(), kTokenHeader.size());
  text.copy(line.data() + kTokenHeader.size(), text.size());
  return line;
}

}  // namespace lmbroker::crypto
