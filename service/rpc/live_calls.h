#pragma once

namespace lmbroker::rpc {

// A call that LiveCalls can find, from when it is added until it is gone.
class LiveCall {
 public:
  // Ends the call if its caller is not let in any more.
  virtual void JudgeAgain() = 0;
  // Takes the caller away from a call that JudgeAgain has ended and that is still there.
  virtual void CutOff() = 0;
  // Takes the caller away from a call that may use a key.
  virtual void Recall() = 0;

  // For LiveCalls: puts this, which stands alone, behind `other`; who stands behind this.
  void JoinBehind(LiveCall& other) {
    before_ = &other;
    after_ = other.after_;
    after_->before_ = this;
    other.after_ = this;
  }
  LiveCall* after() const { return after_; }

  LiveCall(const LiveCall&) = delete;
  LiveCall& operator=(const LiveCall&) = delete;

 protected:
  LiveCall() = default;
  ~LiveCall() {
    before_->after_ = after_;
    after_->before_ = before_;
  }

 private:
  LiveCall* before_ = this;
  LiveCall* after_ = this;
};

// The calls under way, without memory of its own. On the loop's thread only.
class LiveCalls {
 public:
  void Add(LiveCall& call) { call.JoinBehind(ends_); }

  void JudgeAgain() { ForEach(&LiveCall::JudgeAgain); }
  void CutOff() { ForEach(&LiveCall::CutOff); }
  void Recall() { ForEach(&LiveCall::Recall); }

 private:
  void ForEach(void (LiveCall::*tell)()) {
    for (LiveCall* call = ends_.after(); call != &ends_; call = call->after()) (call->*tell)();
  }

  struct Ends final : LiveCall {
    void JudgeAgain() override {}
    void CutOff() override {}
    void Recall() override {}
  };
  Ends ends_;
};

}  // namespace lmbroker::rpc
