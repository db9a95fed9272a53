#include "service/app/open_audit.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/audit/file_sink.h"
#include "service/audit/stream_sink.h"
#include "service/audit/syslog_sink.h"
#include "service/base/descriptor.h"
#include "service/base/status_macros.h"

namespace lmbroker::app {
namespace {

absl::StatusOr<std::unique_ptr<audit::Sink>> OpenStdout() {
  Descriptor descriptor(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (descriptor.get() < 0) {
    return absl::FailedPreconditionError(
        fmt::format("cannot write the audit to standard output: {}", std::generic_category().message(errno)));
  }
  return std::make_unique<audit::StreamSink>("stdout", std::move(descriptor));
}

absl::StatusOr<std::unique_ptr<audit::Sink>> OpenSink(const Config::AuditSink& config, audit::FileSystem& files,
                                                      const audit::SinkLog::Parts& parts) {
  switch (config.kind) {
    case Config::AuditSink::Kind::kFile:
      return audit::FileSink::Open(
          {.path = config.path, .rotate_bytes = config.rotate_bytes, .rotate_every = config.rotate_every}, files,
          parts.clock, parts.logger);
    case Config::AuditSink::Kind::kSyslog:
      return std::make_unique<audit::SyslogSink>(
          audit::SyslogSink::Options{.socket = config.socket, .facility = config.facility});
    case Config::AuditSink::Kind::kStdout:
      break;
  }
  return OpenStdout();
}

}  // namespace

absl::StatusOr<std::unique_ptr<audit::SinkLog>> OpenAudit(const Config::Audit& config, audit::FileSystem& files,
                                                          audit::SinkLog::Parts parts) {
  std::vector<std::unique_ptr<audit::Sink>> sinks;
  for (const Config::AuditSink& sink : config.sinks) {
    ASSIGN_OR_RETURN(std::unique_ptr<audit::Sink> opened, OpenSink(sink, files, parts));
    sinks.push_back(std::move(opened));
  }
  const audit::Need need = config.need_all ? audit::Need::kAll : audit::Need::kAny;
  return audit::SinkLog::Open({.need = need, .head = config.head}, std::move(sinks), parts);
}

}  // namespace lmbroker::app
