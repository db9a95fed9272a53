#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server_builder.h>

#include "service/http/event_loop.h"

namespace lmbroker::rpc {

// What a tag of the queue points to. Lives until it was told.
class QueueEvent {
 public:
  virtual void OnEvent(bool ok) = 0;

 protected:
  ~QueueEvent() = default;
};

// An event that calls a method of its owner.
template <class Owner, void (Owner::*OnTold)(bool)>
class EventOf final : public QueueEvent {
 public:
  explicit EventOf(Owner& owner) : owner_(owner) {}
  void OnEvent(bool ok) override { (owner_.*OnTold)(ok); }
  void* tag() { return static_cast<QueueEvent*>(this); }

 private:
  Owner& owner_;
};

// gRPC's completion queue, and the one thread that works on what it brings and on what the portals' sockets bring: a
// call is taken in, sent, received and answered without being handed from thread to thread, which cost more than all
// the rest together (ARCHITECTURE.md has the figures).
class CallQueue {
 public:
  // Adds a queue to the server that is being built. `loop` must outlive this.
  CallQueue(grpc::ServerBuilder& builder, http::EventLoop& loop);
  // Returns when the last call has ended and everything in the queue was told. After the server's shutdown.
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // Starts the thread, and lends it the loop; once the server runs.
  void Start();

  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }
  // Runs `work` on the queue's thread, soon. From any thread.
  void Post(http::EventLoop::Work work) { loop_.Post(std::move(work)); }

  // Timers, on the queue's thread.
  Scheduler& scheduler() { return loop_; }

  // On the queue's thread: a call came; gRPC is done with one.
  void Enter() { ++calls_; }
  void Leave() { --calls_; }

 private:
  void Run();
  bool TellNext(gpr_timespec deadline);
  void Wake();
  void OnWoken(bool) {}  // the loop's turn is next anyway

  http::EventLoop& loop_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::atomic<bool> ending_ = false;
  std::size_t calls_ = 0;
  bool open_ = true;
  std::optional<grpc::Alarm> alarm_;
  EventOf<CallQueue, &CallQueue::OnWoken> on_woken_{*this};
  std::thread thread_;
};

}  // namespace lmbroker::rpc
