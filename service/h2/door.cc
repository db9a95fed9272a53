#include "service/h2/door.h"

#include <sys/epoll.h>

#include <cstdint>
#include <utility>

#include "service/base/status_macros.h"

namespace lmbroker::h2 {
namespace {

// Until then anyone can hold one of the places.
constexpr absl::Duration kMostHandshake = absl::Seconds(10);

}  // namespace

// One connection in its handshake.
class Door::Guest final : public http::EventLoop::Watcher {
 public:
  Guest(Door& door, Accepted accepted)
      : door_(door), socket_(std::make_unique<TlsSocket>(std::move(accepted), door.tls_())) {
    timer_ = door_.loop_->AddTimer(door_.clock_.Monotonic() + kMostHandshake, [this] { Leave(); });
  }
  ~Guest() override {
    door_.loop_->CancelTimer(timer_);
    if (socket_ != nullptr) door_.loop_->Unwatch(socket_->descriptor());
  }

  // May end this.
  void Shake() {
    switch (socket_->Shake()) {
      case TlsSocket::Progress::kWantsToRead:
        return door_.loop_->Watch(socket_->descriptor(), EPOLLIN, *this);
      case TlsSocket::Progress::kWantsToWrite:
        return door_.loop_->Watch(socket_->descriptor(), EPOLLOUT, *this);
      case TlsSocket::Progress::kDone:
        door_.loop_->Unwatch(socket_->descriptor());
        door_.take_(std::move(socket_));
        return Leave();
      case TlsSocket::Progress::kFailed:
        return Leave();
    }
  }

  void OnEvents(int, std::uint32_t) override { Shake(); }

 private:
  void Leave() { door_.guests_.erase(this); }

  Door& door_;
  std::unique_ptr<TlsSocket> socket_;
  Scheduler::Timer timer_;
};

absl::StatusOr<std::unique_ptr<Door>> Door::Open(const Clock& clock, Tls tls, Take take) {
  ASSIGN_OR_RETURN(auto loop, http::EventLoop::Create(clock));
  return std::unique_ptr<Door>(new Door(clock, std::move(tls), std::move(take), std::move(loop)));
}

Door::Door(const Clock& clock, Tls tls, Take take, std::unique_ptr<http::EventLoop> loop)
    : clock_(clock), tls_(std::move(tls)), take_(std::move(take)), loop_(std::move(loop)) {}

Door::~Door() {
  loop_->Post([this] { guests_.clear(); });  // before the loop ends, which is the first of all members to do so
}

void Door::Enter(Accepted accepted) {
  loop_->Post([this, taken = std::move(accepted)]() mutable {
    auto guest = std::make_unique<Guest>(*this, std::move(taken));
    Guest& entered = *guest;
    guests_.emplace(&entered, std::move(guest));
    entered.Shake();
  });
}

}  // namespace lmbroker::h2
