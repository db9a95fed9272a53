// How many mutations the audit log can carry: 64 callers, each of which writes an intent, waits until it is on the
// disk, writes the outcome, and starts again; chain, checkpoints and head file included.
//
//   bench_audit_pace DIRECTORY SECONDS      prints "PAIRS_PER_SECOND REFUSED CPU_US_OF_A_PAIR"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/audit/file_sink.h"
#include "service/audit/posix_file_system.h"
#include "service/audit/seed_signer.h"
#include "service/audit/sink_log.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/random.h"
#include "service/crypto/ed25519.h"

namespace {

using lmbroker::audit::AuditLog;
using lmbroker::audit::Decision;
using lmbroker::audit::Durability;
using lmbroker::audit::Kind;
using lmbroker::audit::Record;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kCallers = 64;

// A record of the length that a forwarded POST has.
Record RecordOf(Kind kind, absl::Time time) {
  Record record{.kind = kind,
                .time = time,
                .id = "0b0f7f3c-8a53-4f5e-9a55-0d8f6f2f2f51",
                .caller = "inventory",
                .identity = "spiffe://corp.example/ns/inventory/sa/app",
                .peer = "ipv4:127.0.0.1:43210",
                .method = "/lmbroker.v1.ForwardService/Forward",
                .portal = "portals/acme",
                .rule = "inventory/forward[3]",
                .credential = "portals/acme/credentials/inventory-reader",
                .access_id = "Ab3dE6gH9jK2mN5pQ8sT",
                .http_method = "POST",
                .path = "/device/devices",
                .body_digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                .decision = Decision::kAllowed};
  if (kind == Kind::kOutcome) {
    record.code = "OK";
    record.http_status = 200;
    record.attempts = 1;
    record.duration_us = 400;
  }
  return record;
}

// 64 callers on one thread, as in the broker; the log's thread says whose intent is on the disk.
class Callers {
 public:
  explicit Callers(AuditLog& log) : log_(log) {}

  // Pairs that ended within `duration`.
  std::uint64_t Run(SteadyClock::duration duration) {
    const auto end = SteadyClock::now() + duration;
    for (std::size_t i = 0; i < kCallers; ++i) Begin();
    std::uint64_t pairs = 0;
    std::size_t under_way = kCallers;
    while (under_way > 0) {
      const std::size_t ready = AwaitReady();
      const bool over = SteadyClock::now() >= end;
      for (std::size_t i = 0; i < ready; ++i) {
        log_.Write(RecordOf(Kind::kOutcome, clock_.Now()), Durability::kFlushedSoon, [](const absl::Status&) {});
        if (!over) Begin();
      }
      if (over) under_way -= ready;
      if (!over) pairs += ready;
    }
    return pairs;
  }
  std::uint64_t refused() {
    const lmbroker::MutexLock lock(mutex_);
    return refused_;
  }

 private:
  void Begin() {
    log_.Write(RecordOf(Kind::kIntent, clock_.Now()), Durability::kOnDisk, [this](const absl::Status& status) {
      const lmbroker::MutexLock lock(mutex_);
      ++ready_;
      if (!status.ok()) ++refused_;
      changed_.notify_one();
    });
  }

  std::size_t AwaitReady() {
    const lmbroker::MutexLock lock(mutex_);
    while (ready_ == 0) changed_.wait(mutex_);
    return std::exchange(ready_, 0);
  }

  AuditLog& log_;
  const lmbroker::SystemClock clock_;
  lmbroker::Mutex mutex_;
  lmbroker::ConditionVariable changed_;
  std::size_t ready_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

std::unique_ptr<AuditLog> OpenLog(const std::string& path, lmbroker::audit::FileSystem& files,
                                  lmbroker::audit::SinkLog::Parts parts) {
  auto sink = lmbroker::audit::FileSink::Open({.path = path}, files, parts.clock, parts.logger);
  if (!sink.ok()) return nullptr;
  std::vector<std::unique_ptr<lmbroker::audit::Sink>> sinks;
  sinks.push_back(*std::move(sink));
  auto log = lmbroker::audit::SinkLog::Open({.head = path + ".head"}, std::move(sinks), parts);
  return log.ok() ? *std::move(log) : nullptr;
}

// Of the whole process so far.
double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc == 3 ? std::atof(argv[2]) : 0;
  if (seconds <= 0) {
    std::fputs("usage: bench_audit_pace DIRECTORY SECONDS\n", stderr);
    return EXIT_FAILURE;
  }
  const std::string path = std::filesystem::path(argv[1]) / "pace.jsonl";
  lmbroker::audit::PosixFileSystem files;
  const lmbroker::SystemClock clock;
  lmbroker::Logger logger({});
  lmbroker::Metrics metrics({.version = "bench"});
  std::uint64_t pairs = 0;
  std::uint64_t refused = 0;
  double cpu = 0;
  lmbroker::SystemRandom random;
  lmbroker::audit::SeedSigner signer;
  signer.Set(lmbroker::crypto::NewEd25519Seed(random));
  {
    const auto log = OpenLog(path, files, {.clock = clock, .logger = logger, .metrics = metrics, .signer = signer});
    if (log == nullptr) {
      std::fputs("bench_audit_pace: cannot write there\n", stderr);
      return EXIT_FAILURE;
    }
    Callers callers(*log);
    const double cpu_before = CpuSeconds();
    pairs = callers.Run(std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds)));
    refused = callers.refused();
    cpu = CpuSeconds() - cpu_before;
  }
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".head");
  std::printf("%.0f %ju %.1f\n", static_cast<double>(pairs - std::min(refused, pairs)) / seconds,
              static_cast<std::uintmax_t>(refused), 1e6 * cpu / static_cast<double>(std::max<std::uint64_t>(pairs, 1)));
  return EXIT_SUCCESS;
}
