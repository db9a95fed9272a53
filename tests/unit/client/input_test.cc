#include "client/cli/input.h"

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::cli {
namespace {

using ::testing::HasSubstr;

class InputTest : public ::testing::Test {
 protected:
  absl::StatusOr<Secret> ReadSecretFrom(const std::string& input, const std::string& file = "") {
    std::istringstream in(input);
    Io io{.in = in, .out = out_, .err = out_};
    return ReadSecret(file, io);
  }
  absl::StatusOr<std::string> ReadBodyFrom(const std::string& input, const std::string& file = "-") {
    std::istringstream in(input);
    Io io{.in = in, .out = out_, .err = out_};
    return ReadBody(file, io);
  }
  TempDir directory_;
  std::ostringstream out_;
};

TEST_F(InputTest, OneLineEndBehindASecretIsDropped) {
  for (const std::string input : {"k-e-y", "k-e-y\n", "k-e-y\r\n"}) {
    const auto secret = ReadSecretFrom(input);
    ASSERT_THAT(secret, IsOk());
    EXPECT_EQ(secret->Reveal(), "k-e-y");
  }
  EXPECT_EQ(ReadSecretFrom(" k\ne\n\n")->Reveal(), " k\ne\n");
}

TEST_F(InputTest, SecretIsReadFromAFile) {
  WriteFile(directory_ / "secret", "k-e-y\n");
  EXPECT_EQ(ReadSecretFrom("not this", directory_ / "secret")->Reveal(), "k-e-y");
}

TEST_F(InputTest, MissingEmptyAndHugeSecretsAreRefused) {
  for (const std::string input : {"", "\n", "\r\n"}) {
    EXPECT_THAT(ReadSecretFrom(input), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(ReadSecretFrom(std::string(64 * 1024, 'k')), IsOk());
  EXPECT_THAT(ReadSecretFrom(std::string(64 * 1024 + 1, 'k')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ReadSecretFrom(std::string(1024 * 1024, 'k')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ReadSecretFrom("", directory_ / "none"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot be read")));
}

TEST_F(InputTest, BodyIsReadByteByByte) {
  std::string body = "\r\n\n";
  for (int i = 0; i < 200'000; ++i) body += static_cast<char>(i % 256);
  EXPECT_THAT(ReadBodyFrom(body), IsOkAndHolds(body));
  WriteFile(directory_ / "body", body);
  EXPECT_THAT(ReadBodyFrom("", directory_ / "body"), IsOkAndHolds(body));
  EXPECT_THAT(ReadBodyFrom(""), IsOkAndHolds(std::string()));
}

TEST_F(InputTest, BodyThatCannotBeReadIsRefused) {
  EXPECT_THAT(ReadBodyFrom("", directory_ / "none"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ReadBodyFrom("", directory_.path().string()), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace lmbroker::cli
