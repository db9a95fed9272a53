#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <curl/curl.h>

#include "service/base/mutex.h"
#include "service/base/secret.h"

namespace lmbroker::identity {

// What the Kubernetes API answered.
struct ApiReply {
  int status = 0;  // HTTP
  std::string body;
};

// The API of one Kubernetes cluster, over HTTPS: no redirects, no proxies, no other host, replies of at most 256 KiB,
// five seconds at most. Blocks. Files are read for each request, so a changed one counts at once. Safe for concurrent
// use.
class KubernetesApi {
 public:
  struct Options {
    std::string address;     // "https://HOST[:PORT]"
    std::string ca;          // PEM file; empty: the system's authorities
    std::string token_file;  // the broker's own service account token; empty: none
    absl::Duration timeout = absl::Seconds(5);
  };

  explicit KubernetesApi(Options options);
  KubernetesApi(const KubernetesApi&) = delete;
  KubernetesApi& operator=(const KubernetesApi&) = delete;

  const std::string& address() const { return options_.address; }

  // `path` begins with '/'. UNAVAILABLE when there was no answer, with what is wrong; FAILED_PRECONDITION when the
  // token file cannot be read. Any HTTP status is an answer.
  absl::StatusOr<ApiReply> Get(std::string_view path);
  absl::StatusOr<ApiReply> Post(std::string_view path, const Secret& json);

 private:
  struct FreeHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  using Handle = std::unique_ptr<CURL, FreeHandle>;

  absl::StatusOr<ApiReply> Send(std::string_view path, const Secret* json);
  absl::StatusOr<Secret> Authorization() const;
  Handle TakeHandle();
  void GiveBack(Handle handle);

  const Options options_;
  Mutex mutex_;
  std::vector<Handle> idle_ ABSL_GUARDED_BY(mutex_);  // with their connections
  std::string authorities_ ABSL_GUARDED_BY(mutex_);   // state of the CA file that they were made with
};

}  // namespace lmbroker::identity
