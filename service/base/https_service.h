#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <curl/curl.h>

#include "service/base/mutex.h"
#include "service/base/secret.h"

namespace lmbroker {

// What a service answered: any HTTP status is an answer.
struct HttpsReply {
  int status = 0;
  Secret body;  // in locked memory from its first byte: it may hold a key
};

// A service of the company's own that the broker asks now and then, with a token from a file: the Kubernetes API, a key
// service. (Portals are not asked so: service/http.) Over HTTPS: no redirects, no proxies, no other host. Blocks. Files
// are read for each request, so a changed one counts at once. Safe for concurrent use.
class HttpsService {
 public:
  // Which one it is.
  struct Options {
    std::string address;     // "https://HOST[:PORT]"
    std::string ca;          // PEM file; empty: the system's authorities
    std::string token_file;  // empty: none
    absl::Duration timeout = absl::Seconds(5);
  };
  // How one talks to its kind.
  struct Kind {
    std::string_view name;          // in messages: "the Kubernetes API"
    std::string_view token_header;  // "Authorization: Bearer ", before the token
    const char* header = nullptr;   // one more line for each request
    bool private_token = true;      // refuse a token file that others may read
    std::size_t most_reply_bytes = 0;
  };

  HttpsService(Options options, const Kind& kind);
  HttpsService(const HttpsService&) = delete;
  HttpsService& operator=(const HttpsService&) = delete;

  const std::string& address() const { return options_.address; }

  // `path` begins with '/'. UNAVAILABLE when there was no answer, or one that is too long, with what is wrong;
  // FAILED_PRECONDITION when the token file cannot be used.
  absl::StatusOr<HttpsReply> Get(std::string_view path);
  absl::StatusOr<HttpsReply> Post(std::string_view path, const Secret& json);

 private:
  struct FreeHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  using Handle = std::unique_ptr<CURL, FreeHandle>;

  absl::StatusOr<HttpsReply> Send(std::string_view path, const Secret* json);
  absl::StatusOr<Secret> TokenLine() const;
  Handle TakeHandle();
  void GiveBack(Handle handle);

  const Options options_;
  const Kind kind_;
  Mutex mutex_;
  std::vector<Handle> idle_ ABSL_GUARDED_BY(mutex_);  // with their connections
  std::string authorities_ ABSL_GUARDED_BY(mutex_);   // state of the CA file that they were made with
};

}  // namespace lmbroker
