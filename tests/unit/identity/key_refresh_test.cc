#include "service/identity/key_refresh.h"

#include <deque>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

class KeyRefreshTest : public ::testing::Test {
 protected:
  // The worker does what was given to it.
  void RunWorker() {
    while (!work_.empty()) {
      auto work = std::move(work_.front());
      work_.pop_front();
      work();
    }
    scheduler_.RunDue();
  }

  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{.version = "test"}};
  std::shared_ptr<IssuerKeys> keys_ = std::make_shared<IssuerKeys>();
  std::deque<absl::AnyInvocable<void()>> work_;
  bool has_room_ = true;
  int fetches_ = 0;
  int told_ = 0;
  absl::StatusOr<std::string> answer_ = TokenKey::P256("k").jwks();
  std::shared_ptr<KeyRefresh> refresh_ =
      std::make_shared<KeyRefresh>(KeyRefresh::Parts{.clock = clock_,
                                                     .scheduler = scheduler_,
                                                     .logger = logger_,
                                                     .metrics = metrics_,
                                                     .keys = keys_,
                                                     .workers =
                                                         [this](absl::AnyInvocable<void()> work) {
                                                           if (has_room_) work_.push_back(std::move(work));
                                                           return has_room_;
                                                         },
                                                     .fetch =
                                                         [this] {
                                                           ++fetches_;
                                                           return answer_;
                                                         }});
};

TEST_F(KeyRefreshTest, FetchesAtTheStartAndRegularly) {
  refresh_->Start();
  RunWorker();
  EXPECT_EQ(fetches_, 1);
  EXPECT_NE(keys_->Get(), nullptr);
  for (int i = 2; i < 5; ++i) {
    scheduler_.Advance(absl::Minutes(5));
    RunWorker();
    EXPECT_EQ(fetches_, i);
  }
}

TEST_F(KeyRefreshTest, OneFetchAnswersAllWhoWait) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(refresh_->MayFetch());
    refresh_->Refresh([this] { ++told_; });
  }
  EXPECT_EQ(told_, 0);
  EXPECT_EQ(work_.size(), 1U);
  RunWorker();
  EXPECT_EQ(told_, 100);
  EXPECT_EQ(fetches_, 1);
}

TEST_F(KeyRefreshTest, StrangersTokensCannotDriveFetches) {
  refresh_->Start();
  RunWorker();
  for (int second = 0; second < 60; ++second) {
    for (int i = 0; i < 100 && refresh_->MayFetch(); ++i) {
      refresh_->Refresh([this] { ++told_; });
      RunWorker();
    }
    scheduler_.Advance(absl::Seconds(1));
  }
  EXPECT_LE(fetches_, 13);
}

TEST_F(KeyRefreshTest, AFailureKeepsTheKeysAndIsRepeatedEverLessOften) {
  refresh_->Start();
  RunWorker();
  const auto before = keys_->Get();
  answer_ = absl::UnavailableError("nobody there");
  scheduler_.Advance(absl::Minutes(5));
  RunWorker();
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(keys_->Get(), before);
  EXPECT_EQ(keys_->error(), "nobody there");
  EXPECT_NE(metrics_.Text().find(R"(lmbroker_reloads_total{result="failed",what="issuer_keys"} 1)"), std::string::npos)
      << metrics_.Text();
  for (int i = 0; i < 600; ++i) {  // ten minutes
    scheduler_.Advance(absl::Seconds(1));
    RunWorker();
  }
  EXPECT_GE(fetches_, 10);
  EXPECT_LE(fetches_, 16);
  answer_ = TokenKey::P256("k2").jwks();
  scheduler_.Advance(absl::Minutes(1));
  RunWorker();
  EXPECT_EQ(keys_->error(), "");
  EXPECT_NE(keys_->Get()->Find("k2"), nullptr);
}

TEST_F(KeyRefreshTest, ABadSetKeepsTheKeys) {
  refresh_->Start();
  RunWorker();
  answer_ = R"({"keys":[]})";
  scheduler_.Advance(absl::Minutes(5));
  RunWorker();
  EXPECT_NE(keys_->Get()->Find("k"), nullptr);
  EXPECT_NE(keys_->error(), "");
}

TEST_F(KeyRefreshTest, WithoutAThreadItIsAFailure) {
  has_room_ = false;
  refresh_->Refresh([this] { ++told_; });
  EXPECT_EQ(told_, 0);
  scheduler_.RunDue();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(fetches_, 0);
}

}  // namespace
}  // namespace lmbroker::identity
