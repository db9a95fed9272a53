#pragma once

// The C++ client of lmbroker: a connection to one broker, and calls that return absl::StatusOr.

#include <memory>
#include <string>
#include <tuple>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include "lmbroker/v1/credential_service.grpc.pb.h"
#include "lmbroker/v1/forward_service.grpc.pb.h"
#include "lmbroker/v1/operator_service.grpc.pb.h"
#include "lmbroker/v1/policy_service.grpc.pb.h"
#include "lmbroker/v1/token_service.grpc.pb.h"

namespace lmbroker::client {

// How to reach a broker and who calls. The files are PEM; new contents are taken up within a minute.
struct Options {
  std::string address;                         // "HOST:PORT"; the broker's certificate must be for HOST
  std::string ca;                              // file: the authorities that may vouch for the broker
  std::string cert;                            // file: the caller's certificate chain; needs `key`
  std::string key;                             // file: the caller's private key; needs `cert`
  std::string token_file;                      // file: a JWT that goes with each call; read for each
  absl::Duration timeout = absl::Seconds(30);  // of each call, connecting included
  int most_reply_bytes = 64 * 1024 * 1024;     // a larger reply fails with RESOURCE_EXHAUSTED
};

// A connection to one broker. Safe for concurrent use; one is enough for a process.
class Connection {
 public:
  // Reads the files and starts connecting in the background. INVALID_ARGUMENT says which option or file is bad.
  static absl::StatusOr<std::unique_ptr<Connection>> Create(Options options);

  // Makes one call and waits for its end, at most the timeout:
  //
  //   auto token = broker->Call(&v1::TokenService::Stub::GetToken, request);
  //
  // RefusalOf(token.status()) is the broker's refusal, if it is one. Of the other failures UNAVAILABLE means that the
  // broker was not reached.
  template <class Stub, class Request, class Reply>
  absl::StatusOr<Reply> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                             const Request& request) {
    grpc::ClientContext context;
    if (absl::Status status = Prepare(context); !status.ok()) return status;
    Reply reply;
    const grpc::Status status = (std::get<std::unique_ptr<Stub>>(stubs_).get()->*method)(&context, request, &reply);
    if (!status.ok()) return Failure(status);
    return reply;
  }

  // For what Call does not do: asynchronous calls, deadlines of their own. Such calls carry no JWT by themselves.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  template <class Service>
  using StubOf = std::unique_ptr<typename Service::Stub>;

  Connection(Options options, std::shared_ptr<grpc::Channel> channel);

  // Sets the deadline and attaches the JWT.
  absl::Status Prepare(grpc::ClientContext& context) const;
  // The same failure with its details as payloads, and "not reached" told apart.
  absl::Status Failure(const grpc::Status& status) const;

  Options options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::tuple<StubOf<v1::TokenService>, StubOf<v1::ForwardService>, StubOf<v1::CredentialService>,
             StubOf<v1::PolicyService>, StubOf<v1::OperatorService>>
      stubs_;
};

}  // namespace lmbroker::client
