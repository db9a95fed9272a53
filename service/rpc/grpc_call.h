#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/byte_budget.h"
#include "service/base/clock.h"
#include "service/h2/stream.h"
#include "service/http/event_loop.h"
#include "service/rpc/incoming.h"
#include "service/rpc/wire.h"

namespace lmbroker::rpc {

// What all calls of a server share. On the loop's thread.
struct Wire {
  http::EventLoop& loop;
  const Clock& clock;
  ByteBudget& unread;            // what may be held of messages that have not come whole
  std::size_t most_message = 0;  // bytes
  std::size_t calls = 0;         // that exist
};

// One gRPC call on its stream: messages come, messages go, a status ends it. It deletes itself once its stream is gone
// and its work has ended. On the loop's thread, but for what says otherwise.
class GrpcCall : public h2::StreamHandler {  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is its own owner
 public:
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  // Every second or so: ends it if its request should have been whole by now, and takes the caller away that did not
  // read the answer in time.
  void Tend();

 protected:
  GrpcCall(Wire& wire, h2::Stream& stream, Incoming incoming);
  virtual ~GrpcCall() { --wire_.calls; }

  // A message has come. What is left of it when this returns is overwritten; whoever takes it does that, too.
  virtual void OnMessage(std::string& message) = 0;
  // No other message will come.
  virtual void OnRequestEnd() = 0;
  // The request is none that anyone could work on; ends in Finish.
  virtual void OnMalformed(const absl::Status& refusal) { Finish(ToWire(refusal, "")); }
  // Whether nothing comes of it after its deadline, even while it is being answered.
  virtual bool EndsWithDeadline() const { return false; }
  // What was sent is on its way, and there is room for more.
  virtual void OnRoom() {}
  // The caller has what it gets. Whoever works on the call still may end that; Release is then still due.
  virtual void OnGone() = 0;

  Wire& wire() { return wire_; }
  const Incoming& incoming() const { return incoming_; }
  // Null once the stream is gone.
  h2::Stream* stream() { return stream_; }

  // Nothing happens in these three once the stream is gone.
  void Send(std::string framed);
  // Once, and nothing else afterwards.
  void Finish(const WireStatus& status);
  // … with an answer that is not gRPC.
  void FinishBare(std::span<const h2::Header> head);
  void Cut();

  // The work has ended, or will never begin. May delete this.
  void Release();

 private:
  void OnData(std::string_view bytes) final;
  void OnEnd() final;
  void OnSent() final { OnRoom(); }
  void OnClosed() final;

  void Refuse(const absl::Status& status);

  Wire& wire_;
  h2::Stream* stream_;
  const Incoming incoming_;
  MessageReader reader_;
  bool begun_ = false;     // the answer
  bool finished_ = false;  // the answer
  bool whole_ = false;     // the request
  bool released_ = false;
  absl::Duration finished_at_ = absl::InfiniteDuration();
  bool gone_ = false;  // and OnGone was told
};

// How long a call may take: the caller's timeout, 30 s without one, 5 min at most.
absl::Duration AllowedTime(const Incoming& incoming);

}  // namespace lmbroker::rpc
