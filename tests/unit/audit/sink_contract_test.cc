// What Sink promises, of every sink there is.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/file_sink.h"
#include "service/audit/line.h"
#include "service/audit/stream_sink.h"
#include "service/audit/syslog_sink.h"
#include "service/base/descriptor.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/audit/audit_file.h"

namespace lmbroker::audit {
namespace {

// A sink, and the other side of it.
class Bench {
 public:
  virtual ~Bench() = default;
  virtual Sink& sink() = 0;
  // From now on it takes some more, and then nothing.
  virtual void Fill() {}
  // Takes everything again. Lines that had come so far, without their newlines.
  virtual std::vector<std::string> Received() = 0;
};

class FileBench final : public Bench {
 public:
  FileBench() {
    auto sink = FileSink::Open({.path = path_}, files_, clock_, logger_);
    EXPECT_THAT(sink, IsOk());
    sink_ = *std::move(sink);
  }
  Sink& sink() override { return *sink_; }
  void Fill() override { files_.Set({.room = 60000}); }
  std::vector<std::string> Received() override {
    files_.Set({});
    return LinesOf(path_);
  }

 private:
  TempDir dir_;
  const std::string path_ = dir_ / "audit.jsonl";
  FakeClock clock_;
  std::ostringstream output_;
  Logger logger_{{}, output_};
  FaultyFileSystem files_;
  std::unique_ptr<FileSink> sink_;
};

// Reads a descriptor that does not block, as far as there is something.
void ReadAll(int descriptor, std::string& text) {
  std::array<char, 65536> block{};
  for (ssize_t count = 0; (count = read(descriptor, block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<std::size_t>(count));
  }
}

std::vector<std::string> SplitLines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class PipeBench final : public Bench {
 public:
  PipeBench() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    EXPECT_GE(fcntl(ends[1], F_SETPIPE_SZ, 65536), 0);
    EXPECT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    reader_.emplace(ends[0]);
    sink_.emplace("stdout", Descriptor(ends[1]));
  }
  Sink& sink() override { return *sink_; }
  std::vector<std::string> Received() override {
    ReadAll(reader_->get(), text_);
    return SplitLines(text_);
  }
  void Leave() { reader_.reset(); }

 private:
  std::optional<Descriptor> reader_;
  std::optional<StreamSink> sink_;
  std::string text_;
};

// A system log. Its messages come without what is before the line.
class SyslogBench final : public Bench {
 public:
  explicit SyslogBench(int type) : type_(type) {
    Listen();
    sink_.emplace(SyslogSink::Options{.socket = path_, .facility = 19});
  }
  Sink& sink() override { return *sink_; }
  std::vector<std::string> Received() override {
    std::vector<std::string> lines;
    for (const std::string& message : Messages()) lines.push_back(message.substr(message.find('{')));
    return lines;
  }
  const std::vector<std::string>& Messages() {
    if (type_ == SOCK_STREAM) {
      Accept();
      ReadAll(connection_->get(), text_);
      messages_ = SplitLines(text_);
      return messages_;
    }
    std::array<char, 65536> block{};
    for (ssize_t count = 0; (count = recv(socket_->get(), block.data(), block.size(), MSG_DONTWAIT)) > 0;) {
      messages_.emplace_back(block.data(), static_cast<std::size_t>(count));
    }
    return messages_;
  }
  void Leave() {
    connection_.reset();
    socket_.reset();
    unlink(path_.c_str());
  }
  void Listen() {
    socket_.emplace(::socket(AF_UNIX, type_ | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(socket_->get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    if (type_ == SOCK_STREAM) {
      EXPECT_EQ(listen(socket_->get(), 5), 0);
    }
  }

 private:
  void Accept() {
    if (connection_.has_value()) return;
    connection_.emplace(accept4(socket_->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    EXPECT_GE(connection_->get(), 0);
  }

  const int type_;
  TempDir dir_;
  const std::string path_ = dir_ / "log";
  std::optional<Descriptor> socket_;
  std::optional<Descriptor> connection_;
  std::optional<SyslogSink> sink_;
  std::string text_;
  std::vector<std::string> messages_;
};

// Lines of a chain, each with its newline.
std::vector<std::string> Chain(int count) {
  std::vector<std::string> lines;
  Link last;
  for (int i = 0; i < count; ++i) {
    std::string unnumbered;
    AppendUnnumbered(unnumbered, {.time = absl::UnixEpoch(), .id = std::to_string(i), .path = std::string(500, 'p')});
    AppendChained(lines.emplace_back(), unnumbered, last);
  }
  return lines;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

std::vector<std::string> WithoutNewlines(std::vector<std::string> lines) {
  for (std::string& line : lines) line.pop_back();
  return lines;
}

struct BenchCase {
  std::string name;
  std::function<std::unique_ptr<Bench>()> make;
};
void PrintTo(const BenchCase& test, std::ostream* out) { *out << test.name; }

class SinkContract : public testing::TestWithParam<BenchCase> {
 protected:
  const std::unique_ptr<Bench> bench_ = GetParam().make();
};

TEST_P(SinkContract, LinesComeWholeAndInOrder) {
  const auto lines = Chain(5);
  const Sink::Taken taken = bench_->sink().Append(Joined(lines));
  EXPECT_THAT(taken.status, IsOk());
  EXPECT_EQ(taken.bytes, Joined(lines).size());
  EXPECT_THAT(bench_->sink().Sync(), IsOk());
  EXPECT_EQ(bench_->Received(), WithoutNewlines(lines));
}

TEST_P(SinkContract, NothingIsTakenAtOnce) {
  EXPECT_THAT(bench_->sink().Append("").status, IsOk());
  EXPECT_EQ(bench_->sink().Append("").bytes, 0U);
}

// Whatever was taken in part is gone on with: each line comes once, whole and in its place.
TEST_P(SinkContract, SinkThatIsFullTakesWholeLinesAndGoesOnOnceItIsNot) {
  const auto lines = Chain(600);
  const std::string text = Joined(lines);
  std::size_t taken = 0;
  std::size_t failures = 0;
  std::vector<std::string> received;
  while (taken < text.size()) {
    bench_->Fill();
    const auto start = std::chrono::steady_clock::now();
    const Sink::Taken now = bench_->sink().Append(std::string_view(text).substr(taken));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));  // 100 ms, on a machine at leisure
    taken += now.bytes;
    ASSERT_TRUE(taken == 0 || text[taken - 1] == '\n');
    ASSERT_EQ(now.status.ok(), taken == text.size());
    if (!now.status.ok()) ++failures;
    ASSERT_LT(failures, 1000U);
    received = bench_->Received();
  }
  EXPECT_GT(failures, 0U);
  EXPECT_EQ(received, WithoutNewlines(lines));
}

TEST_P(SinkContract, HasAName) { EXPECT_NE(bench_->sink().name(), ""); }

INSTANTIATE_TEST_SUITE_P(
    All, SinkContract,
    testing::Values(BenchCase{"File", [] { return std::make_unique<FileBench>(); }},
                    BenchCase{"Pipe", [] { return std::make_unique<PipeBench>(); }},
                    BenchCase{"SyslogDatagrams", [] { return std::make_unique<SyslogBench>(SOCK_DGRAM); }},
                    BenchCase{"SyslogStream", [] { return std::make_unique<SyslogBench>(SOCK_STREAM); }}),
    [](const auto& test) { return test.param.name; });

TEST(StreamSinkTest, ReaderThatIsGoneIsAnError) {
  std::signal(SIGPIPE, SIG_IGN);  // as the broker does
  PipeBench bench;
  bench.Leave();
  EXPECT_THAT(bench.sink().Append(Joined(Chain(1))).status, StatusIs(absl::StatusCode::kUnavailable));
}

class SyslogSinkTest : public testing::TestWithParam<int> {};

TEST_P(SyslogSinkTest, MessageIsOneOfRfc5424) {
  SyslogBench bench(GetParam());
  const std::string line = Chain(1).front();
  ASSERT_THAT(bench.sink().Append(line).status, IsOk());
  ASSERT_EQ(bench.Messages().size(), 1U);
  EXPECT_THAT(
      bench.Messages().front(),
      testing::MatchesRegex(R"(<158>1 1970-01-01T00:00:00.000000Z [!-~]+ lmbrokerd [0-9]+ audit - \{"seq":1,.*\})"));
}

TEST_P(SyslogSinkTest, DaemonThatRestartsIsFoundAgain) {
  SyslogBench bench(GetParam());
  const auto lines = Chain(3);
  ASSERT_THAT(bench.sink().Append(lines[0]).status, IsOk());
  ASSERT_EQ(bench.Received().size(), 1U);
  bench.Leave();
  EXPECT_THAT(bench.sink().Append(lines[1]).status, StatusIs(absl::StatusCode::kUnavailable));
  bench.Listen();
  EXPECT_THAT(bench.sink().Append(lines[1]).status, IsOk());
  EXPECT_THAT(bench.Received().back(), testing::HasSubstr("\"seq\":2"));
  bench.Leave();
  bench.Listen();
  EXPECT_THAT(bench.sink().Append(lines[2]).status, IsOk());
  EXPECT_THAT(bench.Received().back(), testing::HasSubstr("\"seq\":3"));
}

TEST_P(SyslogSinkTest, NobodyThereIsAnError) {
  SyslogSink sink({.socket = "/nonexistent/log"});
  EXPECT_THAT(sink.Append(Chain(1).front()).status, StatusIs(absl::StatusCode::kUnavailable));
}

INSTANTIATE_TEST_SUITE_P(Types, SyslogSinkTest, testing::Values(SOCK_DGRAM, SOCK_STREAM));

TEST(SyslogFacilityTest, HasItsNumber) {
  EXPECT_EQ(SyslogFacility("authpriv"), 10);
  EXPECT_EQ(SyslogFacility("local7"), 23);
  EXPECT_EQ(SyslogFacility("loud"), std::nullopt);
}

}  // namespace
}  // namespace lmbroker::audit
