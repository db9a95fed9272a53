#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "service/audit/sink.h"
#include "service/base/descriptor.h"

namespace lmbroker::audit {

// Lines to a pipe, a terminal or a file that somebody else has opened, such as standard output. What the other side
// does with them, and whether it keeps them, it does not say. Waits no longer than 100 ms for a reader.
class StreamSink final : public Sink {
 public:
  StreamSink(std::string name, Descriptor descriptor);

  std::string_view name() const override { return name_; }
  Taken Append(std::string_view lines) override;
  absl::Status Sync() override { return absl::OkStatus(); }

 private:
  const std::string name_;
  const Descriptor descriptor_;
  std::size_t begun_ = 0;  // bytes of the next line that are written already
};

}  // namespace lmbroker::audit
