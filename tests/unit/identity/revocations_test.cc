#include "service/identity/revocations.h"

#include <gtest/gtest.h>

namespace lmbroker::identity {
namespace {

std::shared_ptr<const Revocations> Parsed(std::string_view text) {
  Issues issues("revoked.yaml");
  return Revocations::Parse(text, issues);
}
std::string ProblemOf(std::string_view text) {
  Issues issues("revoked.yaml");
  EXPECT_EQ(Revocations::Parse(text, issues), nullptr);
  return issues.empty() ? "" : issues.all().front().ToString();
}

TEST(RevocationsTest, SerialsCountHoweverTheyAreWritten) {
  const auto revoked = Parsed("serials: [00ab12, DEADBEEF, \"0\", 7]");
  ASSERT_NE(revoked, nullptr);
  EXPECT_TRUE(revoked->has_serials());
  EXPECT_TRUE(revoked->HasSerial("AB12"));
  EXPECT_TRUE(revoked->HasSerial("DEADBEEF"));
  EXPECT_TRUE(revoked->HasSerial("0"));
  EXPECT_TRUE(revoked->HasSerial("7"));
  EXPECT_FALSE(revoked->HasSerial("AB1"));
  EXPECT_EQ(revoked->size(), 4U);
}

TEST(RevocationsTest, IdentitiesAreExact) {
  const auto revoked = Parsed("identities: [\"spiffe://a.example/b\", \"dns:x.example\", \"k8s:n/s\"]");
  ASSERT_NE(revoked, nullptr);
  EXPECT_FALSE(revoked->has_serials());
  EXPECT_TRUE(revoked->HasIdentity("spiffe://a.example/b"));
  EXPECT_TRUE(revoked->HasIdentity("k8s:n/s"));
  EXPECT_FALSE(revoked->HasIdentity("spiffe://a.example/b/c"));
  EXPECT_FALSE(revoked->HasIdentity(""));
}

TEST(RevocationsTest, AnEmptyFileRevokesNobody) {
  const auto revoked = Parsed("");
  ASSERT_NE(revoked, nullptr);
  EXPECT_TRUE(revoked->empty());
}

TEST(RevocationsTest, ABadFileIsNoneAndSaysWhere) {
  EXPECT_EQ(ProblemOf("serials:\n  - 12:34"), "revoked.yaml:2: serials[0]: must be 1 to 64 hex digits");
  EXPECT_NE(ProblemOf("serials: [\"\"]"), "");
  EXPECT_NE(ProblemOf("serials: [" + std::string(65, 'a') + "]"), "");
  EXPECT_NE(ProblemOf("identities: [\"ops.corp.example\"]"), "");
  EXPECT_NE(ProblemOf("identities: [\"dns:*.corp.example\"]"), "");
  EXPECT_NE(ProblemOf("serial: [12]"), "");
  EXPECT_NE(ProblemOf("serials: 12"), "");
  EXPECT_NE(ProblemOf("serials: [12"), "");
}

}  // namespace
}  // namespace lmbroker::identity
