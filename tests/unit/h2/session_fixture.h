#pragma once

// What the tests of sessions and of their streams share.

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/h2/session.h"
#include "service/h2/stream.h"
#include "tests/support/http2_client.h"

namespace lmbroker::h2 {

inline constexpr std::array kHead{Header{.name = ":status", .value = "200"}};
inline constexpr std::array kTrailers{Header{.name = "grpc-status", .value = "0"}};
inline constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

// Writes down what it is told, and does what the test says.
struct FakeHandler final : StreamHandler {
  FakeHandler(Stream& from, bool fits) : stream(&from), path(from.head().Find(":path")), head_fits(fits) {}
  void OnData(std::string_view bytes) override {
    if (told.empty() || told.back() != "data") told.emplace_back("data");
    body += bytes;
  }
  void OnEnd() override {
    told.emplace_back("end");
    if (on_end) on_end(*stream);
  }
  void OnSent() override {
    told.emplace_back("sent");
    if (on_sent) on_sent(*stream);
  }
  void OnClosed() override {
    told.emplace_back("closed");
    stream = nullptr;
  }

  Stream* stream;  // none: closed
  const std::string path;
  const bool head_fits;
  std::vector<std::string> told;  // pieces of data that follow each other are one
  std::string body;
  std::function<void(Stream&)> on_end;
  std::function<void(Stream&)> on_sent;
};

struct FakeOwner final : Session::Owner {
  StreamHandler& OnRequest(Stream& stream, bool head_fits) override {
    FakeHandler& handler = *handlers.emplace_back(std::make_unique<FakeHandler>(stream, head_fits));
    handler.on_end = on_end;
    handler.on_sent = on_sent;
    return handler;
  }
  void OnOutput() override { ++outputs; }

  std::vector<std::unique_ptr<FakeHandler>> handlers;  // in the order of their requests
  int outputs = 0;
  std::function<void(Stream&)> on_end;  // what the next handlers do
  std::function<void(Stream&)> on_sent;
};

class SessionTest : public testing::Test {
 protected:
  explicit SessionTest(Http2Client::Options options = {}) : client_(options) { Open({}); }

  void Open(Session::Limits limits) { session_.emplace(owner_, limits); }
  std::int32_t Request(const std::string& path) { return client_.Request(Http2Client::HeadFor(path)); }
  FakeHandler& handler(std::size_t number = 0) { return *owner_.handlers.at(number); }
  std::string FromServer(std::size_t enough = kAll) {
    std::string out;
    session_->Send(out, enough);
    return out;
  }
  // Until neither side has anything to say.
  void Exchange() {
    while (true) {
      const std::string up = client_.Send();
      EXPECT_TRUE(session_->Receive(up));
      const std::string down = FromServer();
      EXPECT_TRUE(client_.Receive(down));
      if (up.empty() && down.empty()) return;
    }
  }

  Http2Client client_;
  FakeOwner owner_;
  std::optional<Session> session_;
};

}  // namespace lmbroker::h2
