#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/core/rotator.h"
#include "service/core/token_create.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {

// CoreTest with a portal that looks at keys and the time: the master `root` is its token 30 of admin 33, the credential
// `reader` the token 41 of admin 32, with a note.
class RotationTest : public CoreTest {
 protected:
  static constexpr std::int32_t kMasterToken = 30;
  static constexpr std::string_view kNote = "für Zoë";

  explicit RotationTest(TokenType type = TokenType::kLmv1, std::optional<absl::Duration> ttl = std::nullopt) {
    portal_.CheckKeys(clock_);
    portal_.AddToken({.id = kMasterToken, .admin = 33, .secret = std::string(kMasterKey), .note = "the broker's"});
    Expect(custody_->Remove(Credential("root")));
    Expect(custody_->Import({.name = Credential("root"),
                             .type = TokenType::kLmv1,
                             .access_id = FakePortal::AccessId(kMasterToken),
                             .master = true,
                             .token = Token41(33, kMasterToken),
                             .create_time = clock_.Now(),
                             .secret = {}},
                            Secret(kMasterKey)));
    TokenCreate create({.portal = PortalParts(),
                        .store = store_,
                        .custody = *custody_,
                        .random = random_,
                        .background = *background_});
    const auto call = As("operators");
    Expect(create
               .Create(call->context(), {.parent = Admin(),
                                         .type = type,
                                         .note = std::string(kNote),
                                         .credential = Credential("reader"),
                                         .ttl = ttl})
               .status());
  }

  static void Expect(const absl::Status& status) { EXPECT_THAT(status, IsOk()); }

  std::unique_ptr<Rotator> MakeRotator() {
    return std::make_unique<Rotator>(Rotator::Parts{.portal = PortalParts(),
                                                    .store = store_,
                                                    .custody = *custody_,
                                                    .random = random_,
                                                    .scheduler = eager_scheduler_,
                                                    .healths = healths_,
                                                    .logger = logger_});
  }
  // As after a kill: what the store has, opened anew.
  void Restart() {
    rotator_.reset();
    CoreTest::Restart();
    rotator_ = MakeRotator();
  }

  absl::StatusOr<RotatedToken> RotateToken(TokenName name, std::string_view caller = "inventory",
                                           std::string request_id = "") {
    const auto call = As(caller);
    return rotator_->RotateToken(call->context(), {.name = std::move(name), .request_id = std::move(request_id)});
  }
  absl::StatusOr<store::CredentialRecord> RotateCredential(std::string_view id, std::string_view caller = "operators") {
    const auto call = As(caller);
    return rotator_->RotateCredential(call->context(), Credential(id));
  }
  // Time passes, and the background does its work on the way.
  void Pass(absl::Duration time, absl::Duration step = absl::Seconds(15)) {
    for (absl::Duration passed; passed < time; passed += step) {
      clock_.Advance(step);
      rotator_->Tend();
    }
  }

  // The portal's tokens of one user; the enabled ones of them.
  std::vector<FakePortal::Row> TokensOf(std::int32_t admin) const {
    std::vector<FakePortal::Row> rows;
    for (FakePortal::Row& row : portal_.tokens()) {
      if (row.admin == admin) rows.push_back(std::move(row));
    }
    return rows;
  }
  int LiveOf(std::int32_t admin) const {
    int live = 0;
    for (const FakePortal::Row& row : TokensOf(admin)) live += row.status == TokenStatus::kEnabled ? 1 : 0;
    return live;
  }
  // Whether the portal takes the key.
  bool IsTaken(const sign::Key& key) const {
    for (const FakePortal::Row& row : portal_.tokens()) {
      if (row.secret == key.secret.Reveal()) return row.status == TokenStatus::kEnabled;
    }
    return false;
  }

  std::unique_ptr<Rotator> rotator_ = MakeRotator();
};

}  // namespace lmbroker::core
