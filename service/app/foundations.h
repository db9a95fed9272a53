#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "service/app/config.h"
#include "service/app/file_watch.h"
#include "service/audit/posix_file_system.h"
#include "service/audit/seed_signer.h"
#include "service/audit/sink_log.h"
#include "service/base/byte_budget.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/random.h"
#include "service/core/custody.h"
#include "service/core/key_keeper.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_holder.h"
#include "service/crypto/key_source.h"
#include "service/http/event_loop.h"
#include "service/http/portal_client.h"
#include "service/store/store.h"

namespace lmbroker::app {

// What the broker stands on, and what may be missing or wrong at its start: the files, the disk, the keys. Made before
// the rest, in the order of the members, and ended after it.
struct Foundations {
  // The first thing that is missing or wrong is the error.
  static absl::StatusOr<Foundations> Open(const Config& config);

  std::unique_ptr<SystemClock> clock;
  std::unique_ptr<SystemRandom> random;
  std::unique_ptr<Logger> logger;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<ByteBudget> memory;  // of the bodies that calls hold
  std::unique_ptr<crypto::KeySource> key_source;
  std::unique_ptr<FileWatch> key_watch;  // of its files
  std::unique_ptr<crypto::KeyHolder> keys;
  std::unique_ptr<crypto::Envelope> envelope;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<core::Custody> custody;
  std::unique_ptr<audit::SeedSigner> audit_signer;
  std::unique_ptr<core::KeyKeeper> keeper;
  std::unique_ptr<audit::PosixFileSystem> files;
  std::unique_ptr<audit::SinkLog> audit;
  std::unique_ptr<http::EventLoop> loop;
  std::unique_ptr<http::PortalClient> client;
};

}  // namespace lmbroker::app
