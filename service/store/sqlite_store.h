#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/store/sqlite_database.h"
#include "service/store/store.h"

namespace lmbroker::store {

// The Store in one SQLite file (WAL, synchronous=FULL) that this process alone has open.
class SqliteStore final : public Store {
 public:
  struct Options {
    std::string path;
    absl::Duration wait = absl::Seconds(5);  // for another process, e.g. one that drains, to leave the file
  };

  // Opens the file, or creates it with mode 0600. FAILED_PRECONDITION with the path and the problem, and the file as it
  // was: it is not private, in use, not lmbroker's, damaged, or of a later version.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const Options& options);

  absl::Status InsertCredential(const CredentialRecord& record) override;
  absl::StatusOr<CredentialRecord> GetCredential(const CredentialName& name) override;
  absl::StatusOr<std::vector<CredentialRecord>> ListCredentials(const std::optional<PortalName>& portal) override;
  absl::Status UpdateCredential(const CredentialRecord& record) override;
  absl::Status DeleteCredential(const CredentialName& name) override;

  absl::StatusOr<TokenRecord> GetToken(const TokenName& name) override;
  absl::StatusOr<std::vector<TokenRecord>> ListTokens(const PortalName& portal) override;
  absl::Status DeleteToken(const TokenName& name) override;

  absl::Status BeginCreate(const CreateIntent& intent) override;
  absl::Status CommitCreate(std::string_view marker, const TokenRecord& token,
                            const std::optional<CredentialRecord>& credential) override;
  absl::Status EndCreate(std::string_view marker, CreatePhase phase) override;
  absl::StatusOr<std::vector<CreateIntent>> OpenCreates() override;

 private:
  explicit SqliteStore(Database database) : database_(std::move(database)) {}

  // Runs `work(database)` in a transaction, and commits when it gives OK.
  template <class Work>
  absl::Status Write(Work work);

  Mutex mutex_;
  Database database_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::store
