#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "service/audit/sink.h"
#include "service/base/descriptor.h"

namespace lmbroker::audit {

// The number of a syslog facility (RFC 5424, section 6.2.1) by its usual name, such as "authpriv" or "local3".
std::optional<int> SyslogFacility(std::string_view name);

// Lines to the system log, each as one message of RFC 5424 over a UNIX socket, datagram or stream. The system log gives
// no receipt: taken is what its socket has taken. A socket that was closed is opened again with the next line, so a
// daemon may be restarted. Waits no longer than 100 ms for it.
class SyslogSink final : public Sink {
 public:
  struct Options {
    std::string socket = "/dev/log";
    int facility = 10;  // authpriv
  };

  // Connects with the first line.
  explicit SyslogSink(Options options);

  std::string_view name() const override { return "syslog"; }
  Taken Append(std::string_view lines) override;
  absl::Status Sync() override { return absl::OkStatus(); }

 private:
  absl::Status Connect();
  absl::Status Send(std::string_view line);
  absl::Status SendOnce();
  std::string Message(std::string_view line) const;

  const Options options_;
  const std::string header_;  // between a message's time and its line
  std::optional<Descriptor> socket_;
  bool is_stream_ = false;
  std::string message_;   // that is being sent
  std::size_t sent_ = 0;  // of it, on a stream
};

}  // namespace lmbroker::audit
