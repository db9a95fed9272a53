#include "service/identity/token_verifier.h"

#include <cstdlib>
#include <deque>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/identity/bad_token.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

const TokenKey& FirstKey() {
  static const TokenKey key = TokenKey::P256("first");
  return key;
}
const TokenKey& SecondKey() {
  static const TokenKey key = TokenKey::Rsa("second");
  return key;
}

class TokenVerifierTest : public ::testing::Test {
 protected:
  // Keys from a file: the broker judges by itself.
  void Open() { Make(nullptr, nullptr); }
  void OpenWithReview() {
    Make(nullptr, [this](const Secret&, const ServiceAccount&) {
      ++reviews_;
      return review_;
    });
  }
  void OpenWithDiscovery() {
    refresh_ = std::make_shared<KeyRefresh>(KeyRefresh::Parts{.clock = clock_,
                                                              .scheduler = scheduler_,
                                                              .logger = logger_,
                                                              .metrics = metrics_,
                                                              .keys = keys_,
                                                              .workers = Workers(),
                                                              .fetch = [this] {
                                                                ++fetches_;
                                                                return published_;
                                                              }});
    Make(refresh_, nullptr);
  }
  void Make(std::shared_ptr<KeyRefresh> refresh, TokenVerifier::Review review) {
    verifier_ =
        std::make_shared<TokenVerifier>(TokenRules{.issuer = "https://kubernetes.default.svc", .audience = "lmbroker"},
                                        TokenVerifier::Parts{.clock = clock_,
                                                             .scheduler = scheduler_,
                                                             .keys = keys_,
                                                             .refresh = std::move(refresh),
                                                             .review = std::move(review),
                                                             .workers = Workers()});
  }
  identity::Workers Workers() {
    return [this](absl::AnyInvocable<void()> work) {
      if (work_.size() >= most_work_) return false;
      work_.push_back(std::move(work));
      return true;
    };
  }
  void RunWorker() {
    while (!work_.empty()) {
      auto work = std::move(work_.front());
      work_.pop_front();
      work();
      scheduler_.RunDue();
    }
  }
  std::optional<Verdict> Judge(const std::string& token) {
    return verifier_->Judge(token, [this](Verdict verdict) { told_.push_back(std::move(verdict)); });
  }
  // The verdict, whether it comes at once or not.
  Verdict JudgeNow(const std::string& token) {
    auto verdict = Judge(token);
    if (verdict.has_value()) return *verdict;
    RunWorker();
    EXPECT_FALSE(told_.empty());
    Verdict told = told_.back();
    told_.clear();
    return told;
  }
  std::string Token(const TokenKey& key = FirstKey(), const std::string& jti = "1") const {
    TestClaims claims(clock_.Now());
    claims.more = ",\"jti\":\"" + jti + "\"";
    return key.Sign(claims.ToJson());
  }

  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{.version = "test"}};
  std::shared_ptr<IssuerKeys> keys_ = std::make_shared<IssuerKeys>();
  std::deque<absl::AnyInvocable<void()>> work_;
  std::size_t most_work_ = 1000;
  absl::StatusOr<std::string> published_ = FirstKey().jwks();
  int fetches_ = 0;
  absl::Status review_;
  int reviews_ = 0;
  std::vector<Verdict> told_;
  std::shared_ptr<KeyRefresh> refresh_;
  std::shared_ptr<TokenVerifier> verifier_;
};

TEST_F(TokenVerifierTest, AGoodTokenIsItsAccount) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  Open();
  const auto verdict = Judge(Token());
  ASSERT_TRUE(verdict.has_value());
  ASSERT_THAT(*verdict, IsOk());
  EXPECT_EQ((**verdict)->identity, "k8s:inventory/app");
}

TEST_F(TokenVerifierTest, WithoutKeysNoTokenIsGood) {
  Open();
  EXPECT_THAT(JudgeNow(Token()), RefusedWith(Reason::kBadToken));
}

TEST_F(TokenVerifierTest, AVerdictIsKeptUntilTheTokenExpiresAndNoLonger) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  Open();
  const std::string token = Token();
  EXPECT_THAT(JudgeNow(token), IsOk());
  clock_.Advance(absl::Minutes(59));
  EXPECT_THAT(JudgeNow(token), IsOk());
  clock_.Advance(absl::Minutes(2));
  EXPECT_THAT(JudgeNow(token), RefusedWith(Reason::kBadToken));
}

TEST_F(TokenVerifierTest, AVerdictEndsWithTheKeyThatItStandsOn) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  Open();
  const std::string token = Token();
  EXPECT_THAT(JudgeNow(token), IsOk());
  ASSERT_THAT(keys_->Take(SecondKey().jwks()), IsOk());
  EXPECT_THAT(JudgeNow(token), RefusedWith(Reason::kBadToken));
}

TEST_F(TokenVerifierTest, DuringARotationBothKeysCount) {
  ASSERT_THAT(keys_->Take("{\"keys\":[" + FirstKey().jwk() + "," + SecondKey().jwk() + "]}"), IsOk());
  Open();
  EXPECT_THAT(JudgeNow(Token(FirstKey())), IsOk());
  EXPECT_THAT(JudgeNow(Token(SecondKey())), IsOk());
}

TEST_F(TokenVerifierTest, AHugeTokenIsRefusedUnread) {
  Open();
  EXPECT_THAT(JudgeNow(std::string(1 << 20, 'a')), RefusedWith(Reason::kBadToken));
}

TEST_F(TokenVerifierTest, AnUnknownKeyIsFetchedAndTheCallWaits) {
  OpenWithDiscovery();
  const std::string token = Token();
  EXPECT_FALSE(Judge(token).has_value());
  EXPECT_TRUE(told_.empty());
  RunWorker();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_THAT(told_[0], IsOk());
  EXPECT_TRUE(Judge(token).has_value());  // known by now
  EXPECT_EQ(fetches_, 1);
}

TEST_F(TokenVerifierTest, AKeyThatWasRotatedInIsFoundWithoutAnyonesHelp) {
  OpenWithDiscovery();
  EXPECT_THAT(JudgeNow(Token(FirstKey())), IsOk());
  clock_.Advance(absl::Minutes(1));
  published_ = "{\"keys\":[" + FirstKey().jwk() + "," + SecondKey().jwk() + "]}";
  EXPECT_THAT(JudgeNow(Token(SecondKey())), IsOk());
  EXPECT_EQ(fetches_, 2);
}

TEST_F(TokenVerifierTest, UnknownKeysOfStrangersDriveNoFetches) {
  OpenWithDiscovery();
  const TokenKey stranger = TokenKey::P256("stranger");
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(JudgeNow(Token(stranger, std::to_string(i))), RefusedWith(Reason::kBadToken));
  }
  EXPECT_EQ(fetches_, 1);
  EXPECT_THAT(JudgeNow(Token(FirstKey())), IsOk());  // and keep nobody out
}

TEST_F(TokenVerifierTest, WhenTheKeysCannotBeFetchedTokensAreRefusedAndToldWhen) {
  published_ = absl::UnavailableError("nobody there");
  OpenWithDiscovery();
  const Verdict verdict = JudgeNow(Token());
  EXPECT_THAT(verdict, RefusedWith(Reason::kBadToken));
  EXPECT_EQ(RetryDelayOf(verdict.status()), absl::Seconds(5));
}

TEST_F(TokenVerifierTest, KnownTokensOutliveALostApi) {
  OpenWithDiscovery();
  EXPECT_THAT(JudgeNow(Token()), IsOk());
  published_ = absl::UnavailableError("nobody there");
  scheduler_.Advance(absl::Minutes(6));
  RunWorker();
  EXPECT_THAT(JudgeNow(Token(FirstKey(), "other")), IsOk());
}

TEST_F(TokenVerifierTest, TheClustersWordCountsForTenSeconds) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  const std::string token = Token();
  EXPECT_THAT(JudgeNow(token), IsOk());
  review_ = BadToken("is of a pod that is gone");
  clock_.Advance(absl::Milliseconds(9900));
  EXPECT_THAT(JudgeNow(token), IsOk());
  EXPECT_EQ(reviews_, 1);
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_THAT(JudgeNow(token), RefusedWith(Reason::kBadToken));
  EXPECT_EQ(reviews_, 2);
}

TEST_F(TokenVerifierTest, ARefusalOfTheClusterCountsForASecond) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  review_ = BadToken("is of a pod that is gone");
  const std::string token = Token();
  for (int i = 0; i < 20; ++i) EXPECT_THAT(JudgeNow(token), RefusedWith(Reason::kBadToken));
  EXPECT_EQ(reviews_, 1);
  review_ = absl::OkStatus();
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(JudgeNow(token), IsOk());
}

TEST_F(TokenVerifierTest, TheClusterIsNotAskedAboutBadTokens) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  EXPECT_THAT(JudgeNow(TokenKey::P256("first").Sign(TestClaims(clock_.Now()).ToJson())),
              RefusedWith(Reason::kBadToken));
  EXPECT_THAT(JudgeNow("a.b.c"), RefusedWith(Reason::kBadToken));
  EXPECT_EQ(reviews_, 0);
}

TEST_F(TokenVerifierTest, CallsWithOneTokenShareOneQuestion) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  const std::string token = Token();
  for (int i = 0; i < 500; ++i) EXPECT_FALSE(Judge(token).has_value());
  EXPECT_EQ(work_.size(), 1U);
  RunWorker();
  EXPECT_EQ(told_.size(), 500U);
  EXPECT_EQ(reviews_, 1);
}

TEST_F(TokenVerifierTest, ThoseWhoWaitAreBounded) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    const auto verdict = Judge(Token(FirstKey(), std::to_string(i)));
    if (!verdict.has_value()) continue;
    EXPECT_THAT(*verdict, RefusedWith(Reason::kQueueFull));
    ++refused;
  }
  EXPECT_EQ(refused, 200 - 128);
  RunWorker();
  EXPECT_EQ(told_.size(), 128U);
  EXPECT_FALSE(Judge(Token(FirstKey(), "after")).has_value());  // there is room again
}

// A full heap would end the process. In a process of its own: the heap is for the whole process.
TEST_F(TokenVerifierTest, TokensOfStrangersDoNotFillLockedMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  EXPECT_EXIT(
      {
        ASSERT_THAT(OpenSecureHeap(65536, 65536), IsOk());
        const Secret keys = Secret::WithSize(32768);
        int waiting = 0;
        for (int i = 0; i < 200; ++i) waiting += Judge(Token(FirstKey(), std::to_string(i))).has_value() ? 0 : 1;
        EXPECT_GT(waiting, 1);
        EXPECT_LT(waiting, 128);
        EXPECT_LT(SecureHeapUse(), 0.95);
        std::_Exit(HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(TokenVerifierTest, WithoutAThreadForTheQuestionTheCallIsRefused) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  most_work_ = 0;
  EXPECT_FALSE(Judge(Token()).has_value());
  scheduler_.RunDue();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_THAT(told_[0], RefusedWith(Reason::kQueueFull));
}

TEST_F(TokenVerifierTest, AnAnswerThatCrossesAChangeOfKeysIsNotKept) {
  ASSERT_THAT(keys_->Take(FirstKey().jwks()), IsOk());
  OpenWithReview();
  const std::string token = Token();
  EXPECT_FALSE(Judge(token).has_value());
  ASSERT_THAT(keys_->Take(SecondKey().jwks()), IsOk());
  RunWorker();
  EXPECT_THAT(JudgeNow(token), RefusedWith(Reason::kBadToken));
}

}  // namespace
}  // namespace lmbroker::identity
