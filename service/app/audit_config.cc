#include "service/app/audit_config.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "service/audit/syslog_sink.h"

namespace lmbroker::app {
namespace {

using Kind = Config::AuditSink::Kind;

Config::AuditSink ReadFileSink(const config::v1::AuditFile& file, const std::string& path, ConfigValues& values) {
  Config::AuditSink sink{.kind = Kind::kFile};
  if (values.Require(ChildPath(path, "path"), file.path())) {
    sink.path = values.NewFile(ChildPath(path, "path"), file.path());
  }
  const std::string rotate = ChildPath(path, "rotate");
  if (file.rotate().has_size()) sink.rotate_bytes = values.Bytes(ChildPath(rotate, "size"), file.rotate().size());
  if (file.rotate().has_every()) sink.rotate_every = values.Duration(ChildPath(rotate, "every"), file.rotate().every());
  return sink;
}

Config::AuditSink ReadSyslogSink(const config::v1::AuditSyslog& file, const std::string& path, ConfigValues& values) {
  Config::AuditSink sink{.kind = Kind::kSyslog};
  if (file.has_socket()) sink.socket = values.Resolve(file.socket());
  const auto facility = audit::SyslogFacility(file.has_facility() ? file.facility() : "authpriv");
  if (!facility.has_value()) values.Problem(ChildPath(path, "facility"), "must be one like authpriv or local3");
  sink.facility = facility.value_or(0);
  return sink;
}

Config::AuditSink ReadSink(const config::v1::AuditSink& file, const std::string& path, ConfigValues& values) {
  if (file.has_file()) return ReadFileSink(file.file(), ChildPath(path, "file"), values);
  if (file.has_syslog()) return ReadSyslogSink(file.syslog(), ChildPath(path, "syslog"), values);
  if (!file.has_stdout()) values.Problem(path, "must be a `file`, `stdout` or `syslog`");
  return {.kind = Kind::kStdout};
}

// As records name it: what one of them missed must be told from what another did.
std::string NameOf(const Config::AuditSink& sink) {
  if (sink.kind == Kind::kFile) return std::filesystem::path(sink.path).filename().string();
  return sink.kind == Kind::kStdout ? "stdout" : "syslog";
}

void CheckHead(const config::v1::Audit& file, Config::Audit& audit, ConfigValues& values) {
  if (file.head().empty()) return;
  audit.head = values.NewFile("audit.head", file.head());
  const auto is_file = [](const Config::AuditSink& sink) { return sink.kind == Kind::kFile; };
  if (std::none_of(audit.sinks.begin(), audit.sinks.end(), is_file)) {
    values.Problem("audit.head", "needs a sink that is a file, with which it is compared at the start");
  }
  for (const Config::AuditSink& sink : audit.sinks) {
    if (is_file(sink) && sink.path == audit.head) values.Problem("audit.head", "must be another file than the sinks");
  }
}

}  // namespace

Config::Audit ReadAudit(const config::v1::Audit& file, ConfigValues& values) {
  Config::Audit audit;
  audit.need_all =
      values.OneOf<bool>("audit.need", file.has_need() ? file.need() : "all", {{"all", true}, {"any", false}});
  if (file.sinks().empty()) values.Problem("audit.sinks", "must have at least one sink");
  std::set<std::string> names;
  for (int i = 0; i < file.sinks_size(); ++i) {
    const std::string path = ItemPath("audit.sinks", static_cast<std::size_t>(i));
    audit.sinks.push_back(ReadSink(file.sinks(i), path, values));
    if (!names.insert(NameOf(audit.sinks.back())).second) {
      values.Problem(path,
                     "has the name of another sink: there can be one stdout and one syslog, and files need "
                     "different names, whatever their directories");
    }
  }
  CheckHead(file, audit, values);
  return audit;
}

}  // namespace lmbroker::app
