#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/base/random.h"
#include "service/crypto/envelope.h"
#include "service/store/counter_file.h"
#include "service/store/integrity.h"
#include "service/store/sqlite_database.h"
#include "service/store/store.h"

namespace lmbroker::store {

// The Store in one SQLite file (WAL, synchronous=FULL) that this process alone changes, with its counter file.
class SqliteStore final : public Store {
 public:
  struct Options {
    std::string path;
    std::string counter;                     // the counter file
    absl::Duration wait = absl::Seconds(5);  // for another process, e.g. one that drains, to leave the file
  };

  // Opens the file, or creates it with mode 0600; locked. `random` must outlive the store. FAILED_PRECONDITION with the
  // path and the problem, and the file as it was: it is not private, in use, not lmbroker's, damaged, or of a later
  // version.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const Options& options, Random& random);

  absl::Status Unlock(const crypto::Envelope& envelope) override;
  // The same for a copy that is to take the place of its original: its counter file is new, and no counter file of
  // before will do for it.
  absl::Status UnlockRestored(const crypto::Envelope& envelope);
  void Lock() override;

  absl::Status InsertCredential(const CredentialRecord& record) override;
  absl::StatusOr<CredentialRecord> GetCredential(const CredentialName& name) override;
  absl::StatusOr<std::vector<CredentialRecord>> ListCredentials(const std::optional<PortalName>& portal) override;
  absl::Status UpdateCredential(const CredentialRecord& record) override;
  absl::Status DeleteCredential(const CredentialName& name) override;

  absl::StatusOr<TokenRecord> GetToken(const TokenName& name) override;
  absl::StatusOr<std::vector<TokenRecord>> ListTokens(const PortalName& portal) override;
  absl::Status DeleteToken(const TokenName& name) override;

  absl::StatusOr<LeaseRecord> GetLease(const TokenName& token) override;
  absl::StatusOr<std::vector<LeaseRecord>> ListLeases(const LeaseSelection& selection) override;
  absl::StatusOr<std::vector<LeaseRecord>> DueLeases(const PortalName& portal, LeaseState state, absl::Time now,
                                                     int most) override;
  absl::StatusOr<std::int64_t> CountStuckLeases(const PortalName& portal) override;
  absl::Status UpdateLease(const LeaseRecord& lease) override;

  absl::Status BeginCreate(const CreateIntent& intent, std::optional<int> most_tokens) override;
  absl::Status CommitCreate(std::string_view marker, const TokenRecord& token,
                            const std::optional<CredentialRecord>& credential) override;
  absl::Status EndCreate(std::string_view marker, CreatePhase phase) override;
  absl::StatusOr<std::vector<CreateIntent>> OpenCreates() override;

  absl::Status BeginRotation(const Rotation& rotation) override;
  absl::Status StoreRotation(std::string_view marker, const TokenRecord& token, const SealedValue& secret) override;
  absl::Status PromoteRotation(std::string_view marker, const CredentialRecord& credential) override;
  absl::Status NoteRetiring(std::string_view marker, const std::optional<absl::Time>& last_used_on,
                            absl::Time still_since) override;
  absl::Status EndRotation(std::string_view marker) override;
  absl::StatusOr<std::vector<Rotation>> ListRotations() override;

  absl::StatusOr<std::vector<SealedValue>> ListSealedValues() override;
  absl::Status PutSealedValue(const SealedValue& value) override;
  absl::Status ReplaceSealedValue(const SealedValue& value) override;

  absl::StatusOr<std::optional<std::string>> GetSetting(std::string_view name) override;
  absl::Status PutSetting(std::string_view name, const std::optional<std::string>& value) override;

 private:
  SqliteStore(Database database, const Options& options, Random& random)
      : database_(std::move(database)), counter_(options.counter), random_(random) {}

  absl::Status UnlockWith(const crypto::Envelope& envelope, Integrity::Origin origin);

  // Runs `work(database)` in a transaction, and commits when it gives OK.
  template <class Work>
  absl::Status Write(Work work);

  Mutex mutex_;
  Database database_ ABSL_GUARDED_BY(mutex_);
  const CounterFile counter_ ABSL_GUARDED_BY(mutex_);
  Random& random_;
  std::unique_ptr<Integrity> integrity_ ABSL_GUARDED_BY(mutex_);  // null while locked
};

}  // namespace lmbroker::store
