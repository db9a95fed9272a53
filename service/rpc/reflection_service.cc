#include "service/rpc/reflection_service.h"

#include <memory>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

namespace lmbroker::rpc {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::FileDescriptorResponse;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

// What clients' stream may have waiting here.
constexpr std::size_t kMostQuestions = 100;

// The file and all that it needs, each once.
void AddFiles(const FileDescriptor& file, std::set<const FileDescriptor*>& seen, FileDescriptorResponse& out) {
  if (!seen.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFiles(*file.dependency(i), seen, out);
}

void NotFound(ServerReflectionResponse& out) {
  out.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  out.mutable_error_response()->set_error_message("The broker knows nothing of that name.");
}

void SetFile(const FileDescriptor* file, ServerReflectionResponse& out) {
  if (file == nullptr) return NotFound(out);
  std::set<const FileDescriptor*> seen;
  AddFiles(*file, seen, *out.mutable_file_descriptor_response());
}

const FileDescriptor* FileOfExtension(const ServerReflectionRequest& question, const DescriptorPool& pool) {
  const auto* const type = pool.FindMessageTypeByName(question.file_containing_extension().containing_type());
  if (type == nullptr) return nullptr;
  const auto* const extension =
      pool.FindExtensionByNumber(type, question.file_containing_extension().extension_number());
  return extension == nullptr ? nullptr : extension->file();
}

void SetExtensionNumbers(const std::string& type_name, const DescriptorPool& pool, ServerReflectionResponse& out) {
  const auto* const type = pool.FindMessageTypeByName(type_name);
  if (type == nullptr) return NotFound(out);
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(type, &extensions);
  out.mutable_all_extension_numbers_response()->set_base_type_name(type_name);
  for (const FieldDescriptor* const each : extensions) {
    out.mutable_all_extension_numbers_response()->add_extension_number(each->number());
  }
}

// Answers as fast as the client takes the answers.
class ReflectionCall final : public GrpcCall {
 public:
  ReflectionCall(const ReflectionService& service, Wire& wire, h2::Stream& stream, Incoming incoming)
      : GrpcCall(wire, stream, std::move(incoming)), service_(service) {}

 private:
  void OnMessage(std::string& message) override {
    ServerReflectionRequest question;
    if (!question.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return End(absl::StatusCode::kInvalidArgument, "The request is not the message that this method takes.");
    }
    if (++waiting_ > kMostQuestions) {
      return End(absl::StatusCode::kResourceExhausted, "Read the answers before you ask more.");
    }
    Send(Framed(service_.AnswerTo(question)));
  }
  void OnRoom() override { waiting_ = 0; }
  void OnRequestEnd() override { Finish({}); }
  void OnGone() override { Release(); }

  void End(absl::StatusCode code, std::string_view message) {
    Finish({.code = static_cast<int>(code), .message = std::string(message)});
  }

  const ReflectionService& service_;
  std::size_t waiting_ = 0;  // answers that are not on their way yet
};

class ReflectionMethod final : public Method {
 public:
  explicit ReflectionMethod(const ReflectionService& service) : service_(service) {}
  GrpcCall& Open(Wire& wire, h2::Stream& stream, Incoming incoming) override {
    return *new ReflectionCall(service_, wire, stream, std::move(incoming));
  }

 private:
  const ReflectionService& service_;
};

}  // namespace

void ReflectionService::AddTo(Methods& methods) {
  methods.Add("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              std::make_unique<ReflectionMethod>(*this));
}

ServerReflectionResponse ReflectionService::AnswerTo(const ServerReflectionRequest& question) const {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  ServerReflectionResponse out;
  out.set_valid_host(question.host());
  *out.mutable_original_request() = question;
  switch (question.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      SetFile(pool.FindFileByName(question.file_by_filename()), out);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      SetFile(pool.FindFileContainingSymbol(question.file_containing_symbol()), out);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      SetFile(FileOfExtension(question, pool), out);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      SetExtensionNumbers(question.all_extension_numbers_of_type(), pool, out);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& name : services_) out.mutable_list_services_response()->add_service()->set_name(name);
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      NotFound(out);
      break;
  }
  return out;
}

}  // namespace lmbroker::rpc
