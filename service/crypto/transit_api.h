#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <curl/curl.h>

#include "service/base/mutex.h"
#include "service/base/secret.h"

namespace lmbroker::crypto {

// What the server answered: any HTTP status is an answer.
struct TransitReply {
  int status = 0;
  Secret body;  // it may hold a key
};

// A Vault or OpenBao server over HTTPS: no redirects, no proxies, no other host, replies of at most 16 KiB. Blocks, for
// `timeout` at most. The token is read for each request, so a changed file counts at once. Safe for concurrent use; one
// request at a time.
class TransitApi {
 public:
  struct Options {
    std::string address;     // "https://HOST[:PORT]"
    std::string ca;          // PEM file; empty: the system's authorities
    std::string token_file;  // private
    absl::Duration timeout = absl::Seconds(5);
  };

  explicit TransitApi(Options options);
  TransitApi(const TransitApi&) = delete;
  TransitApi& operator=(const TransitApi&) = delete;

  const Options& options() const { return options_; }

  // `path` begins with '/'. UNAVAILABLE when there was no answer, with what is wrong; FAILED_PRECONDITION when the
  // token file cannot be used.
  absl::StatusOr<TransitReply> Post(std::string_view path, const Secret& json);

 private:
  struct FreeHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };

  absl::StatusOr<TransitReply> Send(const std::string& url, const Secret& json, const Secret& token_line)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Secret> TokenLine() const;

  const Options options_;
  Mutex mutex_;
  std::unique_ptr<CURL, FreeHandle> handle_ ABSL_GUARDED_BY(mutex_);  // with its connection
};

}  // namespace lmbroker::crypto
