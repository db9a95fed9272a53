#include "client/connection.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "google/rpc/status.pb.h"

namespace lmbroker::client {
namespace {

constexpr unsigned int kRefreshSeconds = 60;
constexpr std::size_t kMostTokenBytes = std::size_t{64} * 1024;

absl::Status BadFile(std::string_view option, const std::string& path, std::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("The file ", path, " (", std::string(option), ") ", std::string(problem), "."));
}

// gRPC would take bad files too, and then fail each call without saying why.
absl::Status CheckFiles(const Options& options) {
  if (options.ca.empty()) {
    return absl::InvalidArgumentError("No ca: name the file with the authorities of the broker's certificate.");
  }
  if (options.cert.empty() != options.key.empty()) {
    return absl::InvalidArgumentError("A certificate needs its private key, and a key its certificate (cert, key).");
  }
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });  // never ask on a terminal
  absl::Status status;
  if (SSL_CTX_load_verify_file(context.get(), options.ca.c_str()) != 1) {
    status = BadFile("ca", options.ca, "cannot be read or has no certificate");
  } else if (!options.cert.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), options.cert.c_str()) != 1) {
      status = BadFile("cert", options.cert, "cannot be read or is no certificate");
    } else if (SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      status = BadFile("key", options.key, "cannot be read, has a passphrase, or is not the certificate's private key");
    }
  }
  ERR_clear_error();
  return status;
}

// The JWT in a file. Bounded: a token file that is something else must not fill the memory.
absl::StatusOr<std::string> ReadToken(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string token(kMostTokenBytes + 1, '\0');
  file.read(token.data(), static_cast<std::streamsize>(token.size()));
  token.resize(static_cast<std::size_t>(file.gcount()));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  const auto is_bad = [](char c) { return c <= ' ' || c > '~'; };
  if (token.empty() || token.size() > kMostTokenBytes || std::any_of(token.begin(), token.end(), is_bad)) {
    return BadFile("token file", path, "cannot be read or holds no token");
  }
  return token;
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const Options& options) {
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      options.key, options.cert, options.ca, kRefreshSeconds));
  tls.watch_root_certs();
  if (!options.cert.empty()) tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(tls);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Create(Options options) {
  if (options.address.empty()) return absl::InvalidArgumentError("No address: name the broker as HOST:PORT.");
  if (absl::Status status = CheckFiles(options); !status.ok()) return status;
  if (!options.token_file.empty()) {
    if (const auto token = ReadToken(options.token_file); !token.ok()) return token.status();
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.most_reply_bytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a broker is never behind the proxy of the environment
  auto channel = grpc::CreateCustomChannel(options.address, Credentials(options), arguments);
  return std::unique_ptr<Connection>(new Connection(std::move(options), std::move(channel)));
}

Connection::Connection(Options options, std::shared_ptr<grpc::Channel> channel)
    : options_(std::move(options)),
      channel_(std::move(channel)),
      stubs_(v1::TokenService::NewStub(channel_), v1::ForwardService::NewStub(channel_),
             v1::CredentialService::NewStub(channel_), v1::PolicyService::NewStub(channel_),
             v1::OperatorService::NewStub(channel_)) {}

absl::Status Connection::Prepare(grpc::ClientContext& context) const {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(options_.timeout));
  if (options_.token_file.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> token = ReadToken(options_.token_file);
  if (!token.ok()) return token.status();
  context.AddMetadata("authorization", absl::StrCat("Bearer ", *token));
  return absl::OkStatus();
}

absl::Status Connection::Failure(const grpc::Status& status) const {
  const auto code = static_cast<absl::StatusCode>(status.error_code());  // the numbers are the same
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details()) && details.details_size() > 0) {
    absl::Status failure(code, status.error_message());
    for (const auto& detail : details.details()) failure.SetPayload(detail.type_url(), absl::Cord(detail.value()));
    return failure;
  }
  // A deadline that ended while there was no connection says that nobody is there, not that the work took long.
  const bool connected = channel_->GetState(false) == GRPC_CHANNEL_READY;
  if (code == absl::StatusCode::kUnavailable || (code == absl::StatusCode::kDeadlineExceeded && !connected)) {
    return absl::UnavailableError(
        absl::StrCat("The broker at ", options_.address, " was not reached: ", status.error_message()));
  }
  return {code, status.error_message()};
}

}  // namespace lmbroker::client
