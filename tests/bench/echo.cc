// A bare gRPC server: what a call costs that gRPC carries and nobody looks at. Forward answers with the body that it
// was sent, or with an error and as many bytes of details as a refusal of the broker has, when the path is /refused. It
// has the broker's TLS, allocator and number of threads, and nothing else of it.
//
//   bench_echo CERTIFICATE KEY CLIENT_CA      prints its port

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "lmbroker/v1/forward_service.grpc.pb.h"

namespace {

using lmbroker::v1::ForwardRequest;
using lmbroker::v1::ForwardResponse;
using Service = lmbroker::v1::ForwardService::AsyncService;

constexpr int kAwaitedCalls = 64;
// As long as what the broker says to a caller without a grant.
constexpr const char* kMessage =
    "The broker's policy has no grant with which this caller may send this request; ask its operators for one.";
constexpr std::size_t kDetailBytes = 290;

// One call, from before it comes until its answer is out. Its address is the tag of both events.
class Echo {
 public:
  // Waits for the next call.
  static void Await(Service& service, grpc::ServerCompletionQueue& queue) { new Echo(service, queue); }

  void OnEvent(bool ok) {
    if (!ok || answered_) {  // the server shuts down, or this was the answer's event
      delete this;
      return;
    }
    Await(service_, queue_);
    answered_ = true;
    if (request_.path() == "/refused") {
      responder_.FinishWithError({grpc::StatusCode::PERMISSION_DENIED, kMessage, std::string(kDetailBytes, 'd')}, this);
      return;
    }
    ForwardResponse response;
    response.set_status(200);
    *response.mutable_body() = std::move(*request_.mutable_body());
    responder_.Finish(response, grpc::Status::OK, this);
  }

 private:
  Echo(Service& service, grpc::ServerCompletionQueue& queue) : service_(service), queue_(queue) {
    service_.RequestForward(&context_, &request_, &responder_, &queue_, &queue_, this);
  }

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  ForwardRequest request_;
  grpc::ServerAsyncResponseWriter<ForwardResponse> responder_{&context_};
  bool answered_ = false;
};

std::shared_ptr<grpc::ServerCredentials> MutualTls(char* const* files) {
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(files[1], files[0], files[2], 1));
  tls.watch_identity_key_cert_pairs();
  tls.watch_root_certs();
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(tls);
}

void Serve(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Echo*>(tag)->OnEvent(ok);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_echo CERTIFICATE KEY CLIENT_CA\n", stderr);
    return EXIT_FAILURE;
  }
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigprocmask(SIG_BLOCK, &ending, nullptr);  // before there are threads

  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", MutualTls(argv + 1), &port);
  builder.RegisterService(&service);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return EXIT_FAILURE;
  for (int i = 0; i < kAwaitedCalls; ++i) Echo::Await(service, *queue);
  std::thread thread([&queue] { Serve(*queue); });
  std::printf("%d\n", port);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&ending, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  queue->Shutdown();
  thread.join();
  return EXIT_SUCCESS;
}
