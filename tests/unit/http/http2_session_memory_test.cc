// What nghttp2 keeps of a request, and so its signature, is wiped when that was sent: the process looks for it in all
// of its own memory.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/descriptor.h"
#include "service/base/secret.h"
#include "tests/unit/http/http2_session_fixture.h"

namespace lmbroker::http {
namespace {

// Stands in memory that is not written to, and so is not looked at.
constexpr std::string_view kAuthorization = "Bearer 7Zq0vXw3KpL9sT2nRb5JgYd8HfMc4UaE6iOxQkVzWtPhNrSjBl1yDuGmFoIeCA";
constexpr std::string_view kSigned = kAuthorization.substr(20, 32);
// Memory that sanitizers set aside is as large as all there could ever be, and holds no text.
constexpr std::uintptr_t kMostMapped = 256 << 20;

std::array<char, 1 << 20> piece;  // what is looked at, and skipped itself

struct Region {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

// The memory that can be written to.
std::vector<Region> Regions() {
  std::vector<Region> regions;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    Region region;
    char dash = 0;
    std::string rights;
    fields >> std::hex >> region.begin >> dash >> region.end >> rights;
    if (rights.starts_with("rw") && region.end - region.begin <= kMostMapped) regions.push_back(region);
  }
  return regions;
}

// In how many places of `bytes`, which lie at `at`, something of `size` is found for which `matches` holds.
template <class Matches>
int CountIn(std::string_view bytes, std::uintptr_t at, std::size_t size, char first, const Matches& matches) {
  const auto own = reinterpret_cast<std::uintptr_t>(piece.data());
  int found = 0;
  for (std::size_t i = bytes.find(first); i != std::string_view::npos; i = bytes.find(first, i + 1)) {
    if (i + size > bytes.size()) break;
    const bool is_own = at + i + size > own && at + i < own + piece.size();
    if (!is_own && matches(bytes.data() + i)) ++found;
  }
  return found;
}

template <class Matches>
int CountInMemory(std::size_t size, char first, const Matches& matches) {
  int found = 0;
  const Descriptor memory(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  EXPECT_GE(memory.get(), 0);
  for (const Region& region : Regions()) {
    for (std::uintptr_t at = region.begin; at < region.end;) {
      const std::size_t wanted = std::min<std::size_t>(piece.size(), region.end - at);
      const ssize_t read = pread(memory.get(), piece.data(), wanted, static_cast<off_t>(at));
      if (read <= 0) break;
      const std::string_view bytes(piece.data(), static_cast<std::size_t>(read));
      found += CountIn(bytes, at, size, first, matches);
      if (bytes.size() < size || at + bytes.size() >= region.end) break;
      at += bytes.size() - size + 1;  // what lies across the edge is seen by the next piece
    }
  }
  Wipe(piece.data(), piece.size());
  return found;
}

int CountSigned() {
  return CountInMemory(kSigned.size(), kSigned.front(),
                       [](const char* at) { return std::memcmp(at, kSigned.data(), kSigned.size()) == 0; });
}

// A part of the value as HPACK writes it, with every bit turned, so that it is not found itself.
class Coded {
 public:
  // `out` has it as a literal that is never indexed, with a name from the table (RFC 7541, section 6.2.3).
  explicit Coded(std::string_view out) {
    constexpr std::string_view kName("\x1F\x08", 2);  // 23: authorization
    const std::size_t name = out.find(kName);
    found_ = name != std::string_view::npos && name + kName.size() + 1 + kSkipped + turned_.size() < out.size() &&
             (out[name + kName.size()] & 0x80) != 0;
    if (!found_) return;
    for (std::size_t i = 0; i < turned_.size(); ++i) {
      turned_[i] = static_cast<char>(~out[name + kName.size() + 1 + kSkipped + i]);
    }
  }
  bool found() const { return found_; }
  int Count() const {
    return CountInMemory(turned_.size(), static_cast<char>(~turned_.front()), [this](const char* at) {
      for (std::size_t i = 0; i < turned_.size(); ++i) {
        if (static_cast<char>(~at[i]) != turned_[i]) return false;
      }
      return true;
    });
  }

 private:
  static constexpr std::size_t kSkipped = 15;
  std::array<char, 24> turned_{};
  bool found_ = false;
};

class Http2SessionMemoryTest : public Http2SessionTest {
 protected:
  // With the first call of a library's function the loader saves all registers on the stack, and what is copied by
  // them.
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer's calls into its run-time save registers, too";
#endif
    Start(Make(OutgoingRequestPeer::Post("{}")));
    Run();
  }
};

TEST_F(Http2SessionMemoryTest, NothingOfARequestIsLeftInMemoryAfterItWasSent) {
  for (const std::size_t body : {0UL, 100UL, 100'000UL}) {
    ExchangePtr exchange = Make(OutgoingRequestPeer::Make(
        {.method = "POST", .path = "/device/devices", .body = std::string(body, 'x')}, kAuthorization));
    const int framed = CountSigned();
    EXPECT_GE(framed, 1);  // the exchange holds it until it is finished
    Start(exchange);
    EXPECT_GT(CountSigned(), framed);  // what nghttp2 copied
    std::string out;
    out.reserve(1 << 20);  // no copies by growth
    for (std::size_t before = 1; before != out.size();) {
      before = out.size();
      std::string record;
      record.reserve(2 * kTlsRecordBytes + 64);
      session_->Send(record, begun_);
      out += record;
      Wipe(record.data(), record.size());
    }
    EXPECT_LE(CountSigned(), framed);
    const Coded coded(out);
    ASSERT_TRUE(coded.found());
    EXPECT_EQ(coded.Count(), 1);  // `out` itself
    Wipe(out.data(), out.size());
    EXPECT_EQ(coded.Count(), 0);
    session_->Cancel(exchange->stream());
    begun_.clear();
    exchange.reset();
    EXPECT_EQ(CountSigned(), 0);
    FromClient();
  }
}

TEST_F(Http2SessionMemoryTest, NothingOfARequestIsLeftInMemoryWhenItsConnectionEnds) {
  {
    const ExchangePtr exchange =
        Start(Make(OutgoingRequestPeer::Make({.method = "GET", .path = "/device/devices"}, kAuthorization)));
    EXPECT_GE(CountSigned(), 2);
    session_.reset();
  }
  EXPECT_EQ(CountSigned(), 0);
}

}  // namespace
}  // namespace lmbroker::http
