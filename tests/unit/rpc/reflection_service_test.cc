#include "service/rpc/reflection_service.h"

#include <set>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "grpc/health/v1/health.pb.h"
#include "lmbroker/v1/token_service.pb.h"

namespace lmbroker::rpc {
namespace {

using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using testing::Contains;
using testing::ElementsAre;

class ReflectionServiceTest : public testing::Test {
 protected:
  ReflectionServiceTest() {
    // Their descriptors are found once their code is in the program.
    EXPECT_NE(v1::GetTokenRequest::descriptor(), nullptr);
    EXPECT_NE(grpc::health::v1::HealthCheckRequest::descriptor(), nullptr);
  }

  static std::vector<FileDescriptorProto> FilesOf(const ServerReflectionResponse& answer) {
    std::vector<FileDescriptorProto> files;
    for (const std::string& bytes : answer.file_descriptor_response().file_descriptor_proto()) {
      EXPECT_TRUE(files.emplace_back().ParseFromString(bytes));
    }
    return files;
  }
  static void ExpectNotFound(const ServerReflectionResponse& answer) {
    ASSERT_TRUE(answer.has_error_response()) << answer.ShortDebugString();
    EXPECT_EQ(answer.error_response().error_code(), static_cast<int>(absl::StatusCode::kNotFound));
    EXPECT_NE(answer.error_response().error_message(), "");
  }

  const ReflectionService service_{{"lmbroker.v1.TokenService", "grpc.health.v1.Health"}};
  ServerReflectionRequest question_;
};

TEST_F(ReflectionServiceTest, TheServicesAreListedByTheirFullNames) {
  question_.set_list_services("*");
  const auto answer = service_.AnswerTo(question_);
  std::vector<std::string> names;
  for (const auto& each : answer.list_services_response().service()) names.push_back(each.name());
  EXPECT_THAT(names, ElementsAre("grpc.health.v1.Health", "lmbroker.v1.TokenService"));
}

TEST_F(ReflectionServiceTest, ASymbolBringsItsFileFirstAndAllThatThatNeedsOnce) {
  question_.set_file_containing_symbol("lmbroker.v1.TokenService");
  const auto files = FilesOf(service_.AnswerTo(question_));
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(files.front().name(), "lmbroker/v1/token_service.proto");
  std::set<std::string> names;
  for (const FileDescriptorProto& file : files) EXPECT_TRUE(names.insert(file.name()).second) << file.name();
  EXPECT_THAT(names, Contains("lmbroker/v1/token.proto"));
  for (const FileDescriptorProto& file : files) {
    for (const std::string& needed : file.dependency()) EXPECT_THAT(names, Contains(needed)) << file.name();
  }
}

TEST_F(ReflectionServiceTest, MethodsAndMessagesAreSymbolsToo) {
  for (const char* symbol : {"lmbroker.v1.TokenService.GetToken", "lmbroker.v1.GetTokenRequest"}) {
    question_.set_file_containing_symbol(symbol);
    const auto files = FilesOf(service_.AnswerTo(question_));
    ASSERT_FALSE(files.empty()) << symbol;
    EXPECT_EQ(files.front().name(), "lmbroker/v1/token_service.proto") << symbol;
  }
}

TEST_F(ReflectionServiceTest, AFileIsFoundByItsName) {
  question_.set_file_by_filename("grpc/health/v1/health.proto");
  const auto files = FilesOf(service_.AnswerTo(question_));
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files.front().service(0).name(), "Health");
}

TEST_F(ReflectionServiceTest, AMessageWithoutExtensionsHasNone) {
  question_.set_all_extension_numbers_of_type("lmbroker.v1.GetTokenRequest");
  const auto answer = service_.AnswerTo(question_);
  EXPECT_EQ(answer.all_extension_numbers_response().base_type_name(), "lmbroker.v1.GetTokenRequest");
  EXPECT_EQ(answer.all_extension_numbers_response().extension_number_size(), 0);
}

TEST_F(ReflectionServiceTest, WhatIsUnknownIsNotFound) {
  question_.set_file_containing_symbol("lmbroker.v1.SecretService");
  ExpectNotFound(service_.AnswerTo(question_));
  question_.set_file_by_filename("lmbroker/v1/secret.proto");
  ExpectNotFound(service_.AnswerTo(question_));
  question_.set_all_extension_numbers_of_type("lmbroker.v1.Secret");
  ExpectNotFound(service_.AnswerTo(question_));
  question_.mutable_file_containing_extension()->set_containing_type("lmbroker.v1.Secret");
  ExpectNotFound(service_.AnswerTo(question_));
  question_.mutable_file_containing_extension()->set_containing_type("lmbroker.v1.GetTokenRequest");
  question_.mutable_file_containing_extension()->set_extension_number(7);
  ExpectNotFound(service_.AnswerTo(question_));
}

TEST_F(ReflectionServiceTest, NoQuestionIsAnError) { EXPECT_TRUE(service_.AnswerTo(question_).has_error_response()); }

TEST_F(ReflectionServiceTest, AnAnswerSaysWhatItAnswers) {
  question_.set_host("broker.example");
  question_.set_file_by_filename("nothing");
  const auto answer = service_.AnswerTo(question_);
  EXPECT_EQ(answer.valid_host(), "broker.example");
  EXPECT_EQ(answer.original_request().SerializeAsString(), question_.SerializeAsString());
}

}  // namespace
}  // namespace lmbroker::rpc
