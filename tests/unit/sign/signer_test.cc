#include "service/sign/signer.h"

#include <zlib.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/issues.h"
#include "service/crypto/encoding.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::sign {
namespace {

using http::Api;
using testing::StartsWith;

// Law 3: what was authorised is what is signed is what is sent. Nothing but the policy engine makes what can be signed,
// and nothing but the signer makes what can be sent.
TEST(LawTest, OnlyTheSignerMakesOutgoingRequests) {
  using http::OutgoingRequest;
  using Request = std::shared_ptr<const http::CanonicalRequest>;
  static_assert(!std::is_default_constructible_v<OutgoingRequest>);
  static_assert(!std::is_constructible_v<OutgoingRequest, PortalName, Request, Secret, std::string>);
  static_assert(!std::is_constructible_v<OutgoingRequest, Request>);
  static_assert(!std::is_constructible_v<OutgoingRequest, policy::AuthorizedCall>);
  static_assert(!std::is_copy_constructible_v<OutgoingRequest>);
  static_assert(!std::is_default_constructible_v<policy::AuthorizedCall>);
  static_assert(!std::is_constructible_v<policy::AuthorizedCall, Request, CredentialName, std::string>);
  static_assert(std::is_same_v<decltype(Signer::Sign),
                               OutgoingRequest(const policy::AuthorizedCall&, const Key&, absl::Time, std::string)>);
}

constexpr std::string_view kPolicy = R"(callers:
  - name: agent
    identities: ["dns:agent.example"]
    forward:
      - {portal: acme, credential: logs, methods: [POST], paths: ["/log/ingest"], api: ingest}
      - {portal: acme, credential: reader, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/**"]}
  - name: ops
    identities: ["dns:ops.example"]
    operator: true
)";

std::shared_ptr<const policy::Policy> ParsedPolicy() {
  Issues issues("policy.yaml");
  return policy::ParsePolicy(kPolicy, {*PortalName::FromId("acme", "portal")}, issues);
}

class SignerTest : public testing::Test {
 protected:
  // The proof for a request of the broker's own, as token administration gets it.
  policy::AuthorizedCall Administer(http::RequestParts parts) const {
    const auto grant = engine_.AuthorizeOperator(*engine_.FindCaller("ops"), portal_);
    EXPECT_THAT(grant, IsOk());
    return *engine_.Administer(*grant, credential_, *http::CanonicalRequest::Make(std::move(parts), {}));
  }

  // The proof for a caller's request, as Forward gets it.
  policy::AuthorizedCall Forward(http::RequestParts parts) const {
    auto request = http::CanonicalRequest::Make(std::move(parts), {});
    EXPECT_THAT(request, IsOk());
    return *engine_.Authorize(*engine_.FindCaller("agent"), portal_, std::nullopt,
                              std::make_shared<const http::CanonicalRequest>(*std::move(request)));
  }

  std::string Authorization(const policy::AuthorizedCall& call) const {
    return std::string(Signer::Sign(call, key_, now_, "id").authorization().Reveal());
  }

  const policy::Engine engine_{ParsedPolicy()};
  const PortalName portal_ = *PortalName::FromId("acme", "portal");
  const CredentialName credential_ = *CredentialName::FromId(portal_, "master", "credential");
  // The invented key and time of logicmonitor-api, section 2.5.
  const Key key_{.type = TokenType::kLmv1,
                 .access_id = "aB3dE5fG7hJ9kL2mN4pQ",
                 .secret = Secret("lma_Invented(Key)For{Tests}=0123456789+^~")};
  const absl::Time now_ = absl::FromUnixMillis(1'700'000'000'000);
};

std::string Header(std::string_view hex) {
  return "LMv1 aB3dE5fG7hJ9kL2mN4pQ:" + crypto::EncodeBase64(hex) + ":1700000000000";
}

std::string Gzip(const std::string& text) {
  std::string out(text.size() + 100, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Vector {
  std::string name;
  http::RequestParts request;
  std::string hex;
};

// Every vector of logicmonitor-api, section 2.5, for the management API.
std::vector<Vector> Vectors() {
  const std::string tokens = "/setting/admins/32/apitokens";
  const std::string token = tokens + "/7";
  return {
      {"V1",
       {.method = "POST",
        .path = tokens,
        .query = {{"type", "bearer"}},
        .body = R"({"note":"broker test","status":2})"},
       "f88a6a5ccbc6d403778810d14259be450191971de19f44ed7f72426cce576f96"},
      {"V2",
       {.method = "GET",
        .path = "/setting/admins/apitokens",
        .query = {{"size", "50"}, {"offset", "0"}, {"filter", "status:2"}}},
       "9a52737d3a590d0bbdb2d976836b454ca684b19f2a42848f9a0ca1152c05f535"},
      {"V3a",
       {.method = "PUT", .path = token, .body = R"({"note":"Zoë – 東京 ✓","status":1})"},
       "a1486fe458cf47cbe022efdbab99f8a293390b9568496dfea788d0ce5f090019"},
      {"V3b",
       {.method = "PUT", .path = token, .body = R"({"note":"Zo\u00eb \u2013 \u6771\u4eac \u2713","status":1})"},
       "9f19c0c47c72e3e042e9a8ed272e178680c659ef43bfab6487d197a695736aee"},
      {"V4a", {.method = "DELETE", .path = token}, "0cc5df06a361595ed42a2f088b44bcd3b2b0edab6acf9da3cf4624038ebaad1b"},
      {"V4b",
       {.method = "DELETE", .path = token, .body = "{}"},
       "05c016bc1323209ef7255028ea2445400b61f847e3e1724a6342980acd491418"},
      {"V5",
       {.method = "POST", .path = tokens, .body = "{}"},
       "75dd3abcce4e11a80ae180d1e5d794871c2bf85a172da43840f13baa915363bd"},
      {"V7",
       {.method = "POST", .path = tokens, .body = "{\"note\":\"broker test\",\"status\":2}\n"},
       "078ef3b309346b9f5ce045bc7bb8da4cfbd058b85ad25c9e04ef7f623b93e3ce"},
      {"V8",
       {.method = "GET", .path = "/device/devices/1/instances/a b/ü"},
       "51f43e44798e12bcc3117c6a342fef05c1aae031f3167816b65a8294ad32543b"},
      {"V9",
       {.method = "PATCH", .path = token, .query = {{"patchFields", "status"}}, .body = R"({"status":1})"},
       "0cd1c0f451ddbfeca53e923eeac2e3b6995e5e67c7d7c0e0bd1511de3e70ba0b"},
  };
}

TEST_F(SignerTest, EveryPublishedVector) {
  for (const Vector& vector : Vectors()) {
    EXPECT_EQ(Authorization(Administer(vector.request)), Header(vector.hex)) << vector.name;
  }
}

TEST_F(SignerTest, HeaderOfTheFirstVectorInFull) {
  EXPECT_EQ(Authorization(Administer(Vectors().front().request)),
            "LMv1 aB3dE5fG7hJ9kL2mN4pQ:"
            "Zjg4YTZhNWNjYmM2ZDQwMzc3ODgxMGQxNDI1OWJlNDUwMTkxOTcxZGUxOWY0NGVkN2Y3MjQyNmNjZTU3NmY5Ng==:1700000000000");
}

// V6: the base /rest is not signed, and a compressed body is signed as it was before.
TEST_F(SignerTest, IngestIsSignedOverTheUncompressedBody) {
  const std::string body = R"([{"message":"hello"}])";
  const std::string expected = Header("80ec5501015337cab8693964279fda4487720cd8c222c3946da9c660ccea79ab");
  http::RequestParts parts{.api = Api::kIngest, .method = "POST", .path = "/log/ingest", .body = body};
  EXPECT_EQ(Authorization(Forward(parts)), expected);
  parts.headers = {{"Content-Encoding", "gzip"}};
  parts.body = Gzip(body);
  EXPECT_EQ(Authorization(Forward(parts)), expected);
}

TEST_F(SignerTest, TimeIsPartOfTheSignature) {
  const auto call = Administer({.method = "GET", .path = "/device/devices"});
  const auto sign = [&](absl::Time now) {
    return std::string(Signer::Sign(call, key_, now, "id").authorization().Reveal());
  };
  EXPECT_NE(sign(now_).substr(0, 60), sign(now_ + absl::Milliseconds(1)).substr(0, 60));
}

TEST_F(SignerTest, BearerIsTheTokenWhateverIsSent) {
  const Key key{.type = TokenType::kBearer, .access_id = "", .secret = Secret("lmb_abc==")};
  const auto call = Administer({.method = "POST", .path = "/device/devices", .body = "{}"});
  const auto outgoing = Signer::Sign(call, key, now_, "id");
  EXPECT_EQ(outgoing.authorization().Reveal(), "Bearer lmb_abc==");
}

TEST_F(SignerTest, WhatWasAuthorisedIsWhatIsSent) {
  const auto call = Forward({.method = "PUT", .path = "/device/devices/7", .query = {{"a", "b c"}}, .body = "{}"});
  const auto outgoing = Signer::Sign(call, key_, now_, "the-request-id");
  EXPECT_EQ(&outgoing.request(), &call.request()) << "the very same object";
  EXPECT_EQ(outgoing.portal(), call.portal());
  EXPECT_EQ(outgoing.request_id(), "the-request-id");
  EXPECT_THAT(std::string(outgoing.authorization().Reveal()), StartsWith("LMv1 "));
}

}  // namespace
}  // namespace lmbroker::sign
