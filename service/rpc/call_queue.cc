#include "service/rpc/call_queue.h"

#include <grpc/support/time.h>

namespace lmbroker::rpc {
namespace {

// How much gRPC may bring before the portals' sockets get their turn.
constexpr int kEventsPerTurn = 64;

}  // namespace

CallQueue::CallQueue(grpc::ServerBuilder& builder, http::EventLoop& loop)
    : loop_(loop), queue_(builder.AddCompletionQueue()) {}

CallQueue::~CallQueue() {
  if (thread_.joinable()) {
    ending_ = true;
    loop_.Post([] {});  // wakes the thread
    thread_.join();
  }
  queue_->Shutdown();
  while (open_) TellNext(gpr_inf_future(GPR_CLOCK_REALTIME));
}

void CallQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void CallQueue::Run() {
  loop_.Lend([this] { Wake(); });
  bool busy = false;
  while (!ending_ || calls_ > 0 || busy) {  // what the server's shutdown brought must be told before the queue ends
    busy = loop_.Turn();
    const bool over = ending_ && calls_ == 0;  // then nothing comes that would end a sleep
    if (!busy && !over && loop_.MaySleep()) TellNext(gpr_inf_future(GPR_CLOCK_REALTIME));
    for (int i = 0; i < kEventsPerTurn && TellNext(gpr_inf_past(GPR_CLOCK_REALTIME)); ++i) busy = true;
  }
  loop_.TakeBack();
}

// Waits until `deadline` for the next event. False when none came.
bool CallQueue::TellNext(gpr_timespec deadline) {
  void* tag = nullptr;
  bool ok = false;
  const auto next = queue_->AsyncNext(&tag, &ok, deadline);
  if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_REALTIME)) == 0) loop_.Awake();
  switch (next) {
    case grpc::CompletionQueue::GOT_EVENT:
      static_cast<QueueEvent*>(tag)->OnEvent(ok);
      return true;
    case grpc::CompletionQueue::SHUTDOWN:
      open_ = false;
      return false;
    case grpc::CompletionQueue::TIMEOUT:
      return false;
  }
  return false;
}

// An alarm of the past makes its event before Set returns. On the loop's own thread.
void CallQueue::Wake() {
  alarm_.emplace();
  alarm_->Set(queue_.get(), gpr_inf_past(GPR_CLOCK_REALTIME), on_woken_.tag());
}

}  // namespace lmbroker::rpc
