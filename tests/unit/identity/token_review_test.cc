#include "service/identity/token_review.h"

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::identity {
namespace {

const ServiceAccount kAccount{.identity = "k8s:inventory/app",
                              .user_name = "system:serviceaccount:inventory:app",
                              .uid = "u-1",
                              .pod_uid = "p-1",
                              .expire_time = absl::InfiniteFuture()};

constexpr const char* kYes =
    R"({"kind":"TokenReview","status":{"authenticated":true,"audiences":["lmbroker"],)"
    R"("user":{"username":"system:serviceaccount:inventory:app","uid":"u-1","groups":["system:authenticated"],)"
    R"("extra":{"authentication.kubernetes.io/pod-name":["app-0"],"authentication.kubernetes.io/pod-uid":["p-1"]}}}})";

std::string Replaced(const std::string& from, const std::string& to) {
  std::string text = kYes;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(JudgeReviewTest, YesIsForThisAccountPodAndAudience) {
  EXPECT_THAT(JudgeReview(kYes, "lmbroker", kAccount), IsOk());
  EXPECT_THAT(JudgeReview(kYes, "vault", kAccount), RefusedWith(Reason::kBadToken));
}

struct No {
  std::string name;
  std::string reply;
};
void PrintTo(const No& no, std::ostream* out) { *out << no.name; }

class NoYes : public ::testing::TestWithParam<No> {};

TEST_P(NoYes, IsABadToken) {
  EXPECT_THAT(JudgeReview(GetParam().reply, "lmbroker", kAccount), RefusedWith(Reason::kBadToken));
}

const std::vector<No> kNo = {
    {"Empty", ""},
    {"NoObject", "true"},
    {"NoStatus", "{}"},
    {"Cut", std::string(kYes).substr(0, 200)},
    {"StatusEmpty", R"({"status":{}})"},
    {"NotAuthenticated", Replaced("true", "false")},
    {"AuthenticatedIsText", Replaced("true", "\"true\"")},
    {"AuthenticatedIsOne", Replaced("true", "1")},
    {"AuthenticatedTwice", Replaced("true,", "true,\"authenticated\":false,")},
    {"YesWithAnError", Replaced("true,", "true,\"error\":\"the account is gone\",")},
    {"NoAudiences", Replaced("\"audiences\":[\"lmbroker\"],", "")},
    {"OtherAudience", Replaced("[\"lmbroker\"]", "[\"vault\"]")},
    {"OtherUser", Replaced("inventory:app", "inventory:other")},
    {"OtherUid", Replaced("u-1", "u-2")},
    {"NoUid", Replaced("\"uid\":\"u-1\",", "")},
    {"NoUser", Replaced("\"user\":", "\"who\":")},
    {"OtherPod", Replaced("p-1", "p-2")},
    {"PodNotMentioned", Replaced("authentication.kubernetes.io/pod-uid", "other")},
};

INSTANTIATE_TEST_SUITE_P(Table, NoYes, ::testing::ValuesIn(kNo), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker::identity
