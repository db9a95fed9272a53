#include "client/cli/run.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "tests/unit/client/fake_broker.h"

namespace lmbroker::cli {
namespace {

using client::FakeBroker;
using client::Refused;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// What the tool did with a command line.
struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

Ran RunTool(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::vector<const char*> argv = {"lmbroker"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Io io{.in = in, .out = out, .err = err};
  const ExitCode code = Run(static_cast<int>(argv.size()), argv.data(), io);
  return {code, out.str(), err.str()};
}

class RunTest : public ::testing::Test {
 protected:
  // Runs the tool against the broker.
  Ran Lmbroker(std::vector<std::string> arguments, const std::string& input = "") const {
    const client::Options options = broker_.options();
    for (const auto& [flag, value] : {std::pair("--address", options.address), std::pair("--ca", options.ca),
                                      std::pair("--cert", options.cert), std::pair("--key", options.key)}) {
      arguments.insert(arguments.end(), {flag, value});
    }
    return RunTool(arguments, input);
  }

  // Text of a request, for comparing.
  static std::string Text(const google::protobuf::Message& message) { return message.ShortDebugString(); }

  FakeBroker broker_;
};

TEST_F(RunTest, EmptyCreateIsLmsEmptyToken) {
  const Ran ran = Lmbroker({"token", "create", "acme/32"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(Text(broker_.tokens.create.request), R"(parent: "portals/acme/admins/32")");
}

TEST_F(RunTest, CreateSendsWhatWasTyped) {
  const Ran ran = Lmbroker({"token", "create", "portals/acme/admins/32", "--type", "Bearer", "--note", "for tests",
                            "--disabled", "--ttl", "90m", "--credential-id", "reader", "--hand-over", "--request-id",
                            "7e57ab1e-0000-4000-8000-000000000001"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(Text(broker_.tokens.create.request),
            R"(parent: "portals/acme/admins/32" token { type: BEARER note: "for tests" status: DISABLED } )"
            R"(credential_id: "reader" ttl { seconds: 5400 } hand_over: true )"
            R"(request_id: "7e57ab1e-0000-4000-8000-000000000001")");
}

TEST_F(RunTest, TokenCommandsSendTheirRequests) {
  const std::string name = R"(name: "portals/acme/admins/32/tokens/41")";
  EXPECT_EQ(Lmbroker({"token", "get", "acme/32/41"}).code, kDone);
  EXPECT_EQ(Text(broker_.tokens.get.request), name);
  EXPECT_EQ(Lmbroker({"token", "enable", "acme/32/41"}).code, kDone);
  EXPECT_EQ(Text(broker_.tokens.toggle.request), name + " status: ENABLED");
  EXPECT_EQ(Lmbroker({"token", "disable", "acme/32/41"}).code, kDone);
  EXPECT_EQ(Text(broker_.tokens.toggle.request), name + " status: DISABLED");
  const Ran deleted = Lmbroker({"token", "delete", "acme/32/41"});
  EXPECT_EQ(deleted.code, kDone);
  EXPECT_EQ(deleted.out, "Done.\n");
  EXPECT_EQ(Text(broker_.tokens.remove.request), name);
}

TEST_F(RunTest, LeaseCommandsSendTheirRequestsAndListEveryPage) {
  broker_.operators.leases.answer = [](const v1::ListLeasesRequest& request, v1::ListLeasesResponse& reply) {
    reply.add_leases()->set_token("portals/acme/admins/32/tokens/" + std::to_string(request.page_token().size() + 41));
    if (request.page_token().size() < 2) reply.set_next_page_token(request.page_token() + "x");
    return grpc::Status::OK;
  };
  const Ran listed = Lmbroker({"lease", "list", "acme", "--stuck"});
  EXPECT_EQ(listed.code, kDone) << listed.err;
  EXPECT_EQ(Text(broker_.operators.leases.request),
            R"(portal: "portals/acme" stuck_only: true page_size: 1000 page_token: "xx")");
  EXPECT_EQ(broker_.operators.leases.calls, 3);
  EXPECT_THAT(listed.out, ::testing::AllOf(HasSubstr("acme/32/41"), HasSubstr("acme/32/43")));
  broker_.operators.revoke.answer = [](const auto&, v1::Lease& reply) {
    reply.set_state(v1::Lease::DISABLED);
    return grpc::Status::OK;
  };
  const Ran revoked = Lmbroker({"lease", "revoke", "acme/32/41"});
  EXPECT_EQ(revoked.code, kDone) << revoked.err;
  EXPECT_EQ(Text(broker_.operators.revoke.request), R"(name: "portals/acme/admins/32/tokens/41")");
  EXPECT_THAT(revoked.out, HasSubstr("DISABLED"));
}

TEST_F(RunTest, NoteMayBeAnyTextEvenACommandOrNothing) {
  for (const std::string note : {"list", "status", "token", "", "[a,b]", "a b", "\xC3\xA9"}) {
    EXPECT_EQ(Lmbroker({"token", "note", "acme/32/41", note}).code, kDone) << note;
    EXPECT_EQ(broker_.tokens.update.request.token().note(), note);
    EXPECT_EQ(Text(broker_.tokens.update.request.update_mask()), R"(paths: "note")");
  }
  const Ran dashed = Lmbroker({"--output", "json", "token", "create", "acme/32", "--note=-x"});
  EXPECT_EQ(dashed.code, kDone) << dashed.err;
  EXPECT_EQ(broker_.tokens.create.request.token().note(), "-x");
}

// A portal with `total` tokens, handed out in pages of at most `page` whatever the client asks for.
auto Pages(int total, int page) {
  return [=](const v1::ListTokensRequest& request, v1::ListTokensResponse& reply) {
    const int start = request.page_token().empty() ? 0 : std::stoi(request.page_token());
    const int end = std::min({total, start + page, start + request.page_size()});
    for (int id = start + 1; id <= end; ++id) {
      reply.add_tokens()->set_name("portals/acme/admins/32/tokens/" + std::to_string(id));
    }
    if (end < total) reply.set_next_page_token(std::to_string(end));
    reply.set_total_size(total);
    return grpc::Status::OK;
  };
}

TEST_F(RunTest, ListGoesThroughAllPages) {
  broker_.tokens.list.answer = Pages(2500, 700);
  const Ran ran = Lmbroker({"token", "list", "acme", "--output", "json"});
  ASSERT_EQ(ran.code, kDone) << ran.err;
  v1::ListTokensResponse list;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ran.out, &list).ok());
  ASSERT_EQ(list.tokens_size(), 2500);
  EXPECT_EQ(list.tokens(0).name(), "portals/acme/admins/32/tokens/1");
  EXPECT_EQ(list.tokens(2499).name(), "portals/acme/admins/32/tokens/2500");
  EXPECT_EQ(list.total_size(), 2500);
  EXPECT_EQ(list.next_page_token(), "");
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST_F(RunTest, ListStopsAtTheLimitAndSaysSo) {
  broker_.tokens.list.answer = Pages(50, 20);
  const Ran ran = Lmbroker({"token", "list", "acme", "--limit", "30"});
  EXPECT_EQ(ran.code, kDone);
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 31);
  EXPECT_EQ(ran.err, "30 of 50 tokens shown.\n");
  EXPECT_EQ(broker_.tokens.list.calls, 2);
}

TEST_F(RunTest, ListSendsItsFilters) {
  EXPECT_EQ(Lmbroker({"token", "list", "acme/32", "--type", "lmv1", "--enabled-only", "--search", "x y"}).code, kDone);
  EXPECT_EQ(Text(broker_.tokens.list.request),
            R"(parent: "portals/acme/admins/32" type: LMV1 enabled_only: true search: "x y" page_size: 1000)");
}

TEST_F(RunTest, ImportReadsTheSecretFromStandardInput) {
  const Ran ran = Lmbroker({"credential", "import", "acme/acme-root", "--type", "lmv1", "--access-id", "aBc",
                            "--master", "--token", "acme/32/41"},
                           "k-e-y\n");
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(Text(broker_.credentials.import.request),
            R"(parent: "portals/acme" credential_id: "acme-root" type: LMV1 access_id: "aBc" secret: "k-e-y" )"
            R"(token: "portals/acme/admins/32/tokens/41" master: true)");
  EXPECT_THAT(ran.out + ran.err, Not(HasSubstr("k-e-y")));
}

TEST_F(RunTest, ImportReadsTheSecretFromAFile) {
  const std::string file = broker_.directory() / "secret";
  WriteFile(file, "Bearer lmb_x\n");
  EXPECT_EQ(Lmbroker({"credential", "import", "acme/b", "--type", "bearer", "--secret-file", file}).code, kDone);
  EXPECT_EQ(broker_.credentials.import.request.secret(), "Bearer lmb_x");
}

TEST_F(RunTest, CredentialCommandsSendTheirRequests) {
  const std::string name = R"(name: "portals/acme/credentials/reader")";
  EXPECT_EQ(Lmbroker({"credential", "disable", "acme/reader"}).code, kDone);
  EXPECT_EQ(Text(broker_.credentials.toggle.request), name + " status: DISABLED");
  broker_.credentials.probe.answer = [](const auto&, v1::ProbeCredentialResponse& reply) {
    reply.set_result(v1::WORKS);
    return grpc::Status::OK;
  };
  const Ran probed = Lmbroker({"credential", "probe", "portals/acme/credentials/reader"});
  EXPECT_EQ(probed.out, "result  WORKS\n");
  EXPECT_EQ(Text(broker_.credentials.probe.request), name);
  EXPECT_EQ(Lmbroker({"credential", "list", "acme"}).code, kDone);
  EXPECT_EQ(broker_.credentials.list.request.parent(), "portals/acme");
}

TEST_F(RunTest, RotateSendsTheNameAndShowsWhatHasTakenItsPlace) {
  broker_.tokens.rotate.answer = [](const auto&, v1::RotateTokenResponse& reply) {
    reply.mutable_token()->set_name("portals/acme/admins/32/tokens/42");
    reply.set_retiring("portals/acme/admins/32/tokens/41");
    return grpc::Status::OK;
  };
  const Ran token = Lmbroker({"token", "rotate", "acme/32/41"});
  EXPECT_EQ(token.code, kDone) << token.err;
  EXPECT_EQ(Text(broker_.tokens.rotate.request), R"(name: "portals/acme/admins/32/tokens/41")");
  EXPECT_THAT(token.out, HasSubstr("acme/32/42"));
  EXPECT_THAT(token.out, HasSubstr("retiring      acme/32/41"));
  const Ran json = Lmbroker({"token", "rotate", "acme/32/41", "--output", "json"});
  EXPECT_THAT(json.out, HasSubstr(R"("retiring")"));

  broker_.credentials.rotate.answer = [](const auto& request, v1::Credential& reply) {
    reply.set_name(request.name());
    reply.set_version(2);
    return grpc::Status::OK;
  };
  const Ran credential = Lmbroker({"credential", "rotate", "acme/acme-root"});
  EXPECT_EQ(credential.code, kDone) << credential.err;
  EXPECT_EQ(Text(broker_.credentials.rotate.request), R"(name: "portals/acme/credentials/acme-root")");
  EXPECT_THAT(credential.out, HasSubstr("version    2"));
}

TEST_F(RunTest, ForwardSendsTheCallInOrder) {
  const Ran ran = Lmbroker({"forward", "acme", "PATCH", "/device/devices/7", "--query", "a=1", "--query",
                            "b==", "--query", "a=[x,y]", "--header", "Accept: text/csv", "--header", "X-Request-Id:r",
                            "--body", "-", "--ingest", "--credential", "acme/reader"},
                           std::string("a\0b\n", 4));
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(Text(broker_.forward.call.request),
            R"(portal: "portals/acme" credential: "portals/acme/credentials/reader" api: INGEST method: "PATCH" )"
            R"(path: "/device/devices/7" query { name: "a" value: "1" } query { name: "b" value: "=" } )"
            R"(query { name: "a" value: "[x,y]" } headers { name: "Accept" value: "text/csv" } )"
            R"(headers { name: "X-Request-Id" value: "r" } body: "a\000b\n")");
}

auto Answer(int status, const std::string& body) {
  return [=](const v1::ForwardRequest&, v1::ForwardResponse& reply) {
    reply.set_status(status);
    reply.set_body(body);
    v1::Header& header = *reply.add_headers();
    header.set_name("Content-Type");
    header.set_value("application/json");
    return grpc::Status::OK;
  };
}

TEST_F(RunTest, ForwardWritesTheBodyAlone) {
  const std::string body("{\"a\":1}\0\xff\r\n", 11);
  broker_.forward.call.answer = Answer(200, body);
  const Ran ran = Lmbroker({"forward", "acme", "GET", "/device/devices"});
  EXPECT_EQ(ran.out, body);
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST_F(RunTest, ErrorOfThePortalIsASuccessfulForward) {
  broker_.forward.call.answer = Answer(404, "{}");
  const Ran ran = Lmbroker({"forward", "acme", "GET", "/device/devices/9"});
  EXPECT_EQ(ran.code, kDone);
  EXPECT_EQ(ran.out, "{}");
  EXPECT_EQ(ran.err, "The portal answered HTTP 404.\n");
}

TEST_F(RunTest, IncludeShowsStatusAndHeaders) {
  broker_.forward.call.answer = Answer(200, "{}");
  EXPECT_EQ(Lmbroker({"forward", "acme", "GET", "/device/devices", "--include"}).out,
            "HTTP 200\nContent-Type: application/json\n\n{}");
}

TEST_F(RunTest, ExplainAsksForBothKinds) {
  EXPECT_EQ(Lmbroker({"explain", "inventory", "forward", "acme", "GET", "/a", "--ingest"}).code, kDone);
  EXPECT_EQ(Text(broker_.policy.explain.request),
            R"(caller: "inventory" forward { portal: "portals/acme" api: INGEST method: "GET" path: "/a" })");
  EXPECT_EQ(Lmbroker({"explain", "spiffe://corp.example/app", "token", "create", "acme/32"}).code, kDone);
  EXPECT_EQ(Text(broker_.policy.explain.request),
            R"(caller: "spiffe://corp.example/app" token { verb: "create" parent: "portals/acme/admins/32" })");
}

TEST_F(RunTest, PolicyDiffSendsTheFileAndShowsBothKinds) {
  broker_.policy.diff.answer = [](const auto&, v1::DiffPolicyResponse& reply) {
    v1::PolicyDifference& allowed = *reply.add_newly_allowed();
    allowed.set_caller("app");
    allowed.set_grant("app.forward[0]");
    allowed.mutable_sample()->mutable_forward()->set_portal("portals/acme");
    allowed.mutable_sample()->mutable_forward()->set_method("GET");
    allowed.mutable_sample()->mutable_forward()->set_path("/a/any");
    v1::PolicyDifference& refused = *reply.add_newly_refused();
    refused.set_grant("app.tokens[0]");
    refused.add_identities("dns:app.example");
    refused.mutable_sample()->mutable_token()->set_verb("get");
    refused.mutable_sample()->mutable_token()->set_parent("portals/acme/admins/32");
    reply.add_newly_allowed()->mutable_sample()->set_rpc("/lmbroker.v1.OperatorService/GetStatus");
    reply.set_omitted(7);
    return grpc::Status::OK;
  };
  const Ran ran = Lmbroker({"policy", "diff", "-"}, "callers: []");
  EXPECT_EQ(ran.code, kDone);
  EXPECT_EQ(broker_.policy.diff.request.policy_yaml(), "callers: []");
  EXPECT_THAT(ran.out, HasSubstr("app.forward[0]    acme GET /a/any"));
  EXPECT_THAT(ran.out, HasSubstr("app.tokens[0]         get tokens of acme/32  dns:app.example"));
  EXPECT_THAT(ran.out, HasSubstr("/lmbroker.v1.OperatorService/GetStatus"));
  EXPECT_THAT(ran.out, HasSubstr("7 more are not shown"));
}

TEST_F(RunTest, PolicyDiffSaysWhenThereIsNone) {
  EXPECT_EQ(Lmbroker({"policy", "diff", "-"}, "").out, "It allows and refuses the same.\n");
}

TEST_F(RunTest, JsonOutputIsTheReplyAndNothingElse) {
  broker_.operators.status.answer = [](const auto&, v1::GetStatusResponse& reply) {
    reply.set_version("0.1.0");
    reply.mutable_policy()->set_error("\x1b[31m");
    return grpc::Status::OK;
  };
  const Ran ran = Lmbroker({"--output", "json", "status"});
  EXPECT_EQ(ran.code, kDone);
  v1::GetStatusResponse reply;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ran.out, &reply).ok()) << ran.out;
  EXPECT_EQ(reply.version(), "0.1.0");
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST_F(RunTest, RefusalIsOnStandardErrorAlone) {
  broker_.tokens.get.answer = [](const auto&, auto&) {
    return Refused(grpc::StatusCode::PERMISSION_DENIED, "NO_GRANT", "No grant lets you get tokens.");
  };
  for (const std::string output : {"table", "json"}) {
    const Ran ran = Lmbroker({"token", "get", "acme/32/41", "--output", output});
    EXPECT_EQ(ran.code, kRefused);
    EXPECT_THAT(ran.out, IsEmpty());
    EXPECT_THAT(ran.err, StartsWith("refused: No grant lets you get tokens.\nreason:  NO_GRANT\nrequest: r-7\nnext: "));
  }
}

TEST_F(RunTest, ReplyThatCannotBeWrittenIsNoSuccess) {
  const client::Options options = broker_.options();
  std::istringstream in;
  std::ostringstream err;
  std::ofstream full("/dev/full");
  Io io{.in = in, .out = full, .err = err};
  const std::vector<const char*> argv = {"lmbroker", "status",           "--address", options.address.c_str(),
                                         "--ca",     options.ca.c_str(), "--cert",    options.cert.c_str(),
                                         "--key",    options.key.c_str()};
  EXPECT_EQ(cli::Run(static_cast<int>(argv.size()), argv.data(), io), kRefused);
  EXPECT_THAT(err.str(), HasSubstr("could not be written"));
}

TEST_F(RunTest, UnknownRpcIsARefusal) {
  EXPECT_EQ(Lmbroker({"credential", "get", "acme/reader"}).code, kRefused);  // the fake does not implement it
}

TEST_F(RunTest, StoppedBrokerIsNotReached) {
  broker_.Stop();
  const Ran ran = Lmbroker({"token", "get", "acme/32/41", "--timeout", "2s"});
  EXPECT_EQ(ran.code, kNotReached);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_THAT(ran.err, HasSubstr("was not reached"));
}

TEST_F(RunTest, EnvironmentSaysWhereTheBrokerIs) {
  const client::Options options = broker_.options();
  setenv("LMBROKER_ADDRESS", options.address.c_str(), 1);
  setenv("LMBROKER_CA", options.ca.c_str(), 1);
  setenv("LMBROKER_CERT", options.cert.c_str(), 1);
  setenv("LMBROKER_KEY", options.key.c_str(), 1);
  setenv("LMBROKER_TOKEN_FILE", "", 1);  // empty is unset
  EXPECT_EQ(RunTool({"token", "get", "acme/32/41"}).code, kDone);
  EXPECT_EQ(RunTool({"token", "get", "acme/32/41", "--address", "127.0.0.1:1"}).code, kNotReached);  // the flag wins
  for (const char* name : {"ADDRESS", "CA", "CERT", "KEY", "TOKEN_FILE"}) {
    unsetenv((std::string("LMBROKER_") + name).c_str());
  }
}

struct Wrong {
  std::string name;
  std::vector<std::string> arguments;
  std::string input;
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class UsageTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(UsageTest, IsExitTwoAndSaysSoOnStandardError) {
  const Ran ran = RunTool(GetParam().arguments, GetParam().input);
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_THAT(ran.err, Not(IsEmpty()));
  EXPECT_THAT(ran.err, Not(HasSubstr("k-e-y")));
}

INSTANTIATE_TEST_SUITE_P(
    All, UsageTest,
    ::testing::Values(
        Wrong{"Nothing", {}, ""}, Wrong{"UnknownCommand", {"frobnicate"}, ""}, Wrong{"NounAlone", {"token"}, ""},
        Wrong{"RotateOfAUser", {"token", "rotate", "acme/32"}, ""},
        Wrong{"RotateOfATokenAsACredential", {"credential", "rotate", "acme/32/41"}, ""},
        Wrong{"NoPolicyFile", {"policy", "diff", "/none"}, ""}, Wrong{"PolicyAlone", {"policy"}, ""},
        Wrong{"FreezeIsNotYet", {"freeze", "--all"}, ""}, Wrong{"SealIsNotYet", {"seal"}, ""},
        Wrong{"UnsealIsNotYet", {"unseal"}, ""}, Wrong{"ReconcileIsNotYet", {"reconcile", "acme"}, ""},
        Wrong{"LeaseAlone", {"lease"}, ""}, Wrong{"LeaseOfNothing", {"lease", "revoke", "acme/32"}, ""},
        Wrong{"NoName", {"token", "get"}, ""}, Wrong{"BadName", {"token", "get", "acme/x/41"}, ""},
        Wrong{"SecretInPlaceOfName", {"token", "get", "k-e-y"}, ""},
        Wrong{"SecretAsFlag", {"credential", "import", "acme/b", "--type", "bearer", "--secret", "k-e-y"}, ""},
        Wrong{"SecretAsFlagWithSign", {"credential", "import", "acme/b", "--type", "bearer", "--secret=k-e-y"}, ""},
        Wrong{"SecretAsArgument", {"credential", "import", "acme/b", "k-e-y", "--type", "bearer"}, ""},
        Wrong{"NoSecret", {"credential", "import", "acme/b", "--type", "bearer"}, "\n"},
        Wrong{"NoSecretFile", {"credential", "import", "acme/b", "--type", "bearer", "--secret-file", "/none"}, ""},
        Wrong{"ImportWithoutType", {"credential", "import", "acme/b"}, "k-e-y"},
        Wrong{"BadType", {"token", "create", "acme/32", "--type", "jwt"}, ""},
        Wrong{"BadTtl", {"token", "create", "acme/32", "--ttl", "5"}, ""},
        Wrong{"BadTimeout", {"status", "--timeout", "0s"}, ""}, Wrong{"BadOutput", {"status", "--output", "xml"}, ""},
        Wrong{"BadLimit", {"token", "list", "acme", "--limit", "0"}, ""},
        Wrong{"TooManyArguments", {"token", "get", "acme/32/41", "acme/32/42"}, ""},
        Wrong{"NoteWithoutText", {"token", "note", "acme/32/41"}, ""},
        Wrong{"BadQuery", {"forward", "acme", "GET", "/a", "--query", "x"}, ""},
        Wrong{"BadHeader", {"forward", "acme", "GET", "/a", "--header", ":x"}, ""},
        Wrong{"NoBodyFile", {"forward", "acme", "POST", "/a", "--body", "/none"}, ""},
        Wrong{"ForwardWithoutPath", {"forward", "acme", "GET"}, ""},
        Wrong{"ExplainWithoutKind", {"explain", "inventory"}, ""}, Wrong{"NoAddress", {"status", "--ca", "/none"}, ""},
        Wrong{"BadCa", {"status", "--address", "127.0.0.1:1", "--ca", "/none"}, ""}),
    [](const auto& test) { return test.param.name; });

TEST(HelpTest, EveryCommandHasHelpOnStandardOutput) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{},
                                                                                       {"token"},
                                                                                       {"token", "create"},
                                                                                       {"token", "list"},
                                                                                       {"token", "note"},
                                                                                       {"credential"},
                                                                                       {"credential", "import"},
                                                                                       {"forward"},
                                                                                       {"explain"},
                                                                                       {"explain", "forward"},
                                                                                       {"explain", "token"},
                                                                                       {"lease"},
                                                                                       {"lease", "list"},
                                                                                       {"status"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back("--help");
    const Ran ran = RunTool(arguments);
    EXPECT_EQ(ran.code, kDone);
    EXPECT_THAT(ran.out, HasSubstr("Usage: lmbroker"));
    EXPECT_THAT(ran.err, IsEmpty());
  }
  EXPECT_THAT(RunTool({"--version"}).out, StartsWith("lmbroker "));
}

}  // namespace
}  // namespace lmbroker::cli
