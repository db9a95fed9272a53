#include "service/app/signals.h"

#include <csignal>

namespace lmbroker::app {
namespace {

sigset_t Waited() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = Waited();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Signal WaitForSignal() {
  const sigset_t signals = Waited();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal == SIGHUP ? Signal::kReload : Signal::kStop;
}

}  // namespace lmbroker::app
