#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/crypto/transit_keys.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"
#include "tests/support/tls_server.h"

namespace lmbroker::crypto {

// A Transit engine over real TLS whose ciphertext is the request itself. What it does wrong is its attributes.
class FakeTransit {
 public:
  FakeTransit() {
    WriteFile(folder_ / "ca.crt", ca_.root());
    WriteFile(folder_ / "token", "a-token\n");
  }

  TransitKeys::Options options() const {
    return {.server = {.address = fmt::format("https://localhost:{}", server_.port()),
                       .ca = folder_ / "ca.crt",
                       .token_file = folder_ / "token"},
            .key = "key"};
  }
  void WriteToken(std::string_view token) { WriteFile(folder_ / "token", token); }

  std::atomic<int> asked = 0;
  std::atomic<std::uint32_t> version = 1;
  std::atomic<int> status = 200;  // of every answer

 private:
  static std::string Member(std::string_view json, std::string_view name) {
    const std::string key = fmt::format("\"{}\":\"", name);
    const std::size_t begin = json.find(key) + key.size();
    return std::string(json.substr(begin, json.find('"', begin) - begin));
  }

  std::string Answer(std::string_view request) {
    const std::string associated = Member(request, "associated_data");
    if (request.find("X-Vault-Token: a-token\r\n") == std::string_view::npos) return Reply(403, "{}");
    if (status != 200) return Reply(status, "{}");
    // The ciphertext: both in base64, with the lengths at the end of a made-up number.
    if (request.starts_with("POST /v1/transit/encrypt/key ")) {
      const std::string plaintext = Member(request, "plaintext");
      return Reply(200, fmt::format(R"({{"data":{{"ciphertext":"vault:v{}:{}0000{}"}}}})", version.load(), associated,
                                    plaintext));
    }
    const std::string ciphertext = Member(request, "ciphertext");
    const std::size_t begin = ciphertext.rfind(':') + 1;
    if (ciphertext.substr(begin, associated.size() + 4) != associated + "0000") return Reply(400, "{}");
    return Reply(200,
                 fmt::format(R"({{"data":{{"plaintext":"{}"}}}})", ciphertext.substr(begin + associated.size() + 4)));
  }

  static std::string Reply(int code, std::string_view body) {
    return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", code, body.size(), body);
  }

  TempDir folder_;
  TestCa ca_;
  const TestCertificate certificate_ = ca_.IssueServer("localhost");
  TlsServer server_{certificate_, [this](TlsServer::Session& session) {
                      for (std::string request = session.ReadRequest(); !request.empty();
                           request = session.ReadRequest()) {
                        ++asked;
                        session.Write(Answer(request));
                      }
                    }};
};

}  // namespace lmbroker::crypto
