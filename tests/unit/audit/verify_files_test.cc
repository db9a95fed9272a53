#include "service/audit/verify_files.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/audit_runs.h"

namespace lmbroker::audit {
namespace {

TEST(VerifyFilesTest, FilesAreReadInTheirOrder) {
  AuditRuns runs(3000);
  runs.Run(30);
  const TempDir dir;
  std::vector<std::string> paths;
  for (const NamedText& file : runs.Files()) {
    paths.push_back(dir / file.name);
    WriteFile(paths.back(), file.text);
  }
  ASSERT_GT(paths.size(), 2U);
  const Verifier::Options options = {.head = runs.head(), .key = runs.signer().key};
  const auto findings = VerifyFiles(paths, options);
  ASSERT_THAT(findings, IsOk());
  EXPECT_EQ(findings->damage, "");
  EXPECT_EQ(findings->records, findings->last);
  std::swap(paths[0], paths[1]);
  EXPECT_NE(VerifyFiles(paths, options)->damage, "");
}

TEST(VerifyFilesTest, FileThatIsNotThereIsAnErrorAndNoDamage) {
  const TempDir dir;
  EXPECT_THAT(VerifyFiles({dir / "audit.jsonl"}, {}), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace lmbroker::audit
