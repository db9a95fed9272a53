#include "service/audit/verify_files.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/audit_runs.h"

namespace lmbroker::audit {
namespace {

using testing::HasSubstr;

class VerifyFilesTest : public testing::Test {
 protected:
  // Of the journal, in their order.
  std::vector<std::string> Paths() const {
    std::vector<std::string> paths;
    const std::filesystem::path directory = std::filesystem::path(runs_.path()).parent_path();
    for (const NamedText& file : runs_.Files()) paths.push_back((directory / file.name).string());
    return paths;
  }

  AuditRuns runs_{4096};
};

TEST_F(VerifyFilesTest, RotatedFilesAreOneChain) {
  runs_.Run(40);
  ASSERT_GT(Paths().size(), 2U);
  const auto findings = VerifyFiles(Paths(), {.head = runs_.head(), .key = runs_.signer().key});
  ASSERT_THAT(findings, IsOk());
  EXPECT_EQ(findings->damage, "");
  EXPECT_EQ(findings->records, findings->last);
}

TEST_F(VerifyFilesTest, DamageIsNamedWithItsFile) {
  runs_.Run(40);
  const std::string second = Paths().at(1);
  std::string text = ReadFile(second);
  text[text.size() / 2] ^= 1;
  WriteFile(second, text);
  const auto findings = VerifyFiles(Paths(), {});
  ASSERT_THAT(findings, IsOk());
  EXPECT_THAT(findings->damage, HasSubstr(second));
}

TEST_F(VerifyFilesTest, FileThatCannotBeReadIsNoVerdict) {
  runs_.Run(1);
  EXPECT_FALSE(VerifyFiles({runs_.path(), runs_.path() + ".none"}, {}).ok());
}

}  // namespace
}  // namespace lmbroker::audit
