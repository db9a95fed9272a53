#pragma once

// A broker in the test's process: a real gRPC server with mutual TLS on a port of the system's choice, and services
// that answer what the test wants.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "client/connection.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lmbroker/v1/credential_service.grpc.pb.h"
#include "lmbroker/v1/forward_service.grpc.pb.h"
#include "lmbroker/v1/operator_service.grpc.pb.h"
#include "lmbroker/v1/policy_service.grpc.pb.h"
#include "lmbroker/v1/token_service.grpc.pb.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"

namespace lmbroker::client {

// What one RPC does in a test: keeps the last request, gives `answer`.
template <class Request, class Reply>
struct Rpc {
  Request request;
  std::function<grpc::Status(const Request&, Reply&)> answer = [](const Request&, Reply&) { return grpc::Status::OK; };
  int calls = 0;

  grpc::Status operator()(const Request* received, Reply* reply) {
    request = *received;
    ++calls;
    return answer(request, *reply);
  }
};

// A refusal as the broker makes it.
inline grpc::Status Refused(grpc::StatusCode code, const std::string& reason, const std::string& message,
                            const std::map<std::string, std::string>& metadata = {}, int retry_seconds = 0) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_domain("lmbroker");
  info.set_reason(reason);
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  status.add_details()->PackFrom(info);
  google::rpc::RequestInfo request;
  request.set_request_id("r-7");
  status.add_details()->PackFrom(request);
  if (retry_seconds > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(retry_seconds);
    status.add_details()->PackFrom(retry);
  }
  return {code, message, status.SerializeAsString()};
}

// Calls come one at a time from the test's own thread, so nothing here is locked.
class FakeBroker {
 public:
  FakeBroker() {
    WriteFile(directory_ / "ca.crt", ca_.root());
    ca_.IssueClient("spiffe://corp.example/app").WriteTo(directory_.path(), "caller");
    const TestCertificate certificate = ca_.Issue({.dns = {"broker.test"}, .ips = {"127.0.0.1"}});
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = ca_.root();
    tls.pem_key_cert_pairs.push_back({certificate.key, certificate.certificate});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port_);
    builder.RegisterService(&tokens);
    builder.RegisterService(&forward);
    builder.RegisterService(&credentials);
    builder.RegisterService(&policy);
    builder.RegisterService(&operators);
    server_ = builder.BuildAndStart();
  }

  // How its caller reaches it.
  Options options() const {
    Options options;
    options.address = "127.0.0.1:" + std::to_string(port_);
    options.ca = directory_ / "ca.crt";
    options.cert = directory_ / "caller.crt";
    options.key = directory_ / "caller.key";
    return options;
  }

  const TestCa& ca() const { return ca_; }
  const TempDir& directory() const { return directory_; }
  void Stop() { server_->Shutdown(); }

  struct TokensFake final : v1::TokenService::Service {
    using Context = grpc::ServerContext;
    grpc::Status CreateToken(Context*, const v1::CreateTokenRequest* q, v1::CreateTokenResponse* r) override {
      return create(q, r);
    }
    grpc::Status GetToken(Context* context, const v1::GetTokenRequest* q, v1::Token* r) override {
      const auto header = context->client_metadata().find("authorization");
      authorization =
          header == context->client_metadata().end() ? "" : std::string(header->second.data(), header->second.size());
      return get(q, r);
    }
    grpc::Status ListTokens(Context*, const v1::ListTokensRequest* q, v1::ListTokensResponse* r) override {
      return list(q, r);
    }
    grpc::Status UpdateToken(Context*, const v1::UpdateTokenRequest* q, v1::Token* r) override { return update(q, r); }
    grpc::Status ToggleToken(Context*, const v1::ToggleTokenRequest* q, v1::Token* r) override { return toggle(q, r); }
    grpc::Status RotateToken(Context*, const v1::RotateTokenRequest* q, v1::RotateTokenResponse* r) override {
      return rotate(q, r);
    }
    grpc::Status DeleteToken(Context*, const v1::DeleteTokenRequest* q, google::protobuf::Empty* r) override {
      return remove(q, r);
    }
    std::string authorization;  // of the last GetToken
    Rpc<v1::CreateTokenRequest, v1::CreateTokenResponse> create;
    Rpc<v1::GetTokenRequest, v1::Token> get;
    Rpc<v1::ListTokensRequest, v1::ListTokensResponse> list;
    Rpc<v1::UpdateTokenRequest, v1::Token> update;
    Rpc<v1::ToggleTokenRequest, v1::Token> toggle;
    Rpc<v1::RotateTokenRequest, v1::RotateTokenResponse> rotate;
    Rpc<v1::DeleteTokenRequest, google::protobuf::Empty> remove;
  } tokens;

  struct ForwardFake final : v1::ForwardService::Service {
    grpc::Status Forward(grpc::ServerContext*, const v1::ForwardRequest* q, v1::ForwardResponse* r) override {
      return call(q, r);
    }
    Rpc<v1::ForwardRequest, v1::ForwardResponse> call;
  } forward;

  struct CredentialsFake final : v1::CredentialService::Service {
    using Context = grpc::ServerContext;
    grpc::Status ImportCredential(Context*, const v1::ImportCredentialRequest* q, v1::Credential* r) override {
      return import(q, r);
    }
    grpc::Status ListCredentials(Context*, const v1::ListCredentialsRequest* q,
                                 v1::ListCredentialsResponse* r) override {
      return list(q, r);
    }
    grpc::Status ToggleCredential(Context*, const v1::ToggleCredentialRequest* q, v1::Credential* r) override {
      return toggle(q, r);
    }
    grpc::Status ProbeCredential(Context*, const v1::ProbeCredentialRequest* q,
                                 v1::ProbeCredentialResponse* r) override {
      return probe(q, r);
    }
    grpc::Status RotateCredential(Context*, const v1::RotateCredentialRequest* q, v1::Credential* r) override {
      return rotate(q, r);
    }
    Rpc<v1::RotateCredentialRequest, v1::Credential> rotate;
    Rpc<v1::ImportCredentialRequest, v1::Credential> import;
    Rpc<v1::ListCredentialsRequest, v1::ListCredentialsResponse> list;
    Rpc<v1::ToggleCredentialRequest, v1::Credential> toggle;
    Rpc<v1::ProbeCredentialRequest, v1::ProbeCredentialResponse> probe;
  } credentials;

  struct PolicyFake final : v1::PolicyService::Service {
    grpc::Status ExplainAccess(grpc::ServerContext*, const v1::ExplainAccessRequest* q,
                               v1::ExplainAccessResponse* r) override {
      return explain(q, r);
    }
    grpc::Status DiffPolicy(grpc::ServerContext*, const v1::DiffPolicyRequest* q, v1::DiffPolicyResponse* r) override {
      return diff(q, r);
    }
    Rpc<v1::ExplainAccessRequest, v1::ExplainAccessResponse> explain;
    Rpc<v1::DiffPolicyRequest, v1::DiffPolicyResponse> diff;
  } policy;

  struct OperatorsFake final : v1::OperatorService::Service {
    grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest* q, v1::GetStatusResponse* r) override {
      return status(q, r);
    }
    grpc::Status ListLeases(grpc::ServerContext*, const v1::ListLeasesRequest* q, v1::ListLeasesResponse* r) override {
      return leases(q, r);
    }
    grpc::Status RevokeLease(grpc::ServerContext*, const v1::RevokeLeaseRequest* q, v1::Lease* r) override {
      return revoke(q, r);
    }
    Rpc<v1::GetStatusRequest, v1::GetStatusResponse> status;
    Rpc<v1::ListLeasesRequest, v1::ListLeasesResponse> leases;
    Rpc<v1::RevokeLeaseRequest, v1::Lease> revoke;
  } operators;

 private:
  TempDir directory_;
  TestCa ca_{"Test CA"};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;  // last: ends before what its services use
};

}  // namespace lmbroker::client
