#include "service/app/config.h"

#include <sys/stat.h>

#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/random.h"
#include "service/crypto/key_ring.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"

namespace lmbroker::app {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::string_view kConfig = R"(listen:
  address: 127.0.0.1:0
  address_file: run/address
  tls: { certificate: tls/server.crt, key: tls/server.key, client_ca: tls/ca.crt }
  reflection: false
  limits: { request_body: 4MiB, reply_body: 16MiB, in_flight: 100, in_flight_per_caller: 10, connections: 20, memory: 24MiB }
  drain: 5s
ops: { address: "127.0.0.1:9464", address_file: run/ops-address }
store: { sqlite: { path: data/lmbroker.db } }
keyring: { file: keys/keyring.json }
policy: { file: policy.yaml }
audit: { sinks: [ { file: { path: audit/audit.jsonl, rotate: { size: 256MiB, every: 24h } } } ], need: all }
log: { level: debug, format: text }
portals:
  acme:
    host: Acme.logicmonitor.com
    port: 8443
    ca: tls/ca.crt
    resolve: 127.0.0.1
    allow_private_address: true
    master: acme-root
    connections: 8
    http2: false
    budgets: [ { method: GET, pattern: "/device/devices/7", limit: 1000, window: 30s }, { api: ingest, method: POST, pattern: /log/ingest, limit: 9 } ]
  globex: {}
)";

// A directory with everything that kConfig names.
class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    for (const std::string_view name : {"tls", "run", "data", "keys", "audit"}) {
      std::filesystem::create_directory(directory_ / name);
    }
    const TestCa ca;
    ca.IssueServer("broker.example").WriteTo(directory_ / "tls", "server");
    ca.IssueServer("other.example").WriteTo(directory_ / "tls", "other");
    for (const std::string_view key : {"tls/server.key", "tls/other.key"}) SetMode(key, 0600);
    WriteFile(directory_ / "tls/ca.crt", ca.root());
    WriteFile(directory_ / "policy.yaml", "");
    SystemRandom random;
    EXPECT_THAT(crypto::KeyRing::CreateFile(directory_ / "keys/keyring.json", random, absl::Now()), IsOk());
  }

  void SetMode(std::string_view name, mode_t mode) const {
    ASSERT_EQ(chmod((directory_ / name).c_str(), mode), 0) << name;
  }

  std::optional<Config> Load(std::string_view text, std::vector<std::string>& problems) const {
    WriteFile(directory_ / "lmbrokerd.yaml", text);
    Issues issues("lmbrokerd.yaml");
    auto config = LoadConfig(directory_ / "lmbrokerd.yaml", issues);
    EXPECT_EQ(config.has_value(), issues.empty());
    for (const Issue& issue : issues.all()) problems.push_back(issue.ToString());
    return config;
  }

  // Every problem of kConfig with its first `from` replaced by `to`.
  std::vector<std::string> ProblemsWith(std::string_view from, std::string_view to) const {
    std::string text(kConfig);
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    std::vector<std::string> problems;
    Load(text, problems);
    return problems;
  }
  std::vector<std::string> Problems() const { return ProblemsWith("listen", "listen"); }

  const TempDir directory_;
};

TEST_F(ConfigTest, EveryKeyIsRead) {
  std::vector<std::string> problems;
  const auto config = Load(kConfig, problems);
  ASSERT_THAT(problems, IsEmpty());
  EXPECT_EQ(config->listen.address, "127.0.0.1:0");
  EXPECT_EQ(config->listen.request_body, 4U << 20);
  EXPECT_EQ(config->listen.reply_body, 16U << 20);
  EXPECT_EQ(config->listen.in_flight, 100U);
  EXPECT_EQ(config->listen.in_flight_per_caller, 10U);
  EXPECT_EQ(config->listen.connections, 20U);
  EXPECT_EQ(config->listen.memory, std::size_t{24} << 20);
  EXPECT_EQ(config->listen.drain, absl::Seconds(5));
  EXPECT_FALSE(config->listen.reflection);
  EXPECT_EQ(config->ops.address, "127.0.0.1:9464");
  EXPECT_EQ(config->audit.sinks.at(0).rotate_bytes, 256U << 20);
  EXPECT_EQ(config->audit.sinks.at(0).rotate_every, absl::Hours(24));
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  EXPECT_EQ(config->log.format, LogFormat::kText);
  const Config::Portal& acme = config->portals.at(*PortalName::FromId("acme", ""));
  EXPECT_EQ(acme.host, "acme.logicmonitor.com");
  EXPECT_EQ(acme.port, 8443);
  EXPECT_EQ(acme.resolve, "127.0.0.1");
  EXPECT_TRUE(acme.allow_private_address);
  EXPECT_EQ(acme.master->ToString(), "portals/acme/credentials/acme-root");
  EXPECT_EQ(acme.connections, 8U);
  EXPECT_FALSE(acme.http2);
  ASSERT_EQ(acme.budgets.size(), 2U);
  EXPECT_EQ(acme.budgets[0].pattern, "/device/devices/{id}");
  EXPECT_EQ(acme.budgets[0].limit, 1000);
  EXPECT_EQ(acme.budgets[0].window, absl::Seconds(30));
  EXPECT_EQ(acme.budgets[1].api, http::Api::kIngest);
  EXPECT_EQ(acme.budgets[1].method, http::Method::kPost);
  EXPECT_EQ(acme.budgets[1].window, absl::Minutes(1));
}

TEST_F(ConfigTest, EverySinkIsRead) {
  std::string text(kConfig);
  text.replace(text.find("[ { file: "), 2, "[ { stdout: {} }, { syslog: { facility: local3, socket: run/log } }, ");
  text.replace(text.find("need: all"), 9, "need: any, head: run/head.json");
  std::vector<std::string> problems;
  const auto config = Load(text, problems);
  ASSERT_THAT(problems, IsEmpty());
  EXPECT_FALSE(config->audit.need_all);
  EXPECT_THAT(config->audit.head, testing::EndsWith("/run/head.json"));
  ASSERT_EQ(config->audit.sinks.size(), 3U);
  EXPECT_EQ(config->audit.sinks[0].kind, Config::AuditSink::Kind::kStdout);
  EXPECT_EQ(config->audit.sinks[1].kind, Config::AuditSink::Kind::kSyslog);
  EXPECT_EQ(config->audit.sinks[1].facility, 19);
  EXPECT_THAT(config->audit.sinks[1].socket, testing::EndsWith("/run/log"));
  EXPECT_EQ(config->audit.sinks[2].kind, Config::AuditSink::Kind::kFile);
}

TEST_F(ConfigTest, DefaultsAreThoseOfTheContract) {
  std::vector<std::string> problems;
  const auto config = Load(R"(listen:
  address: 127.0.0.1:8443
  tls: { certificate: tls/server.crt, key: tls/server.key, client_ca: tls/ca.crt }
ops: { address: "127.0.0.1:9464" }
store: { sqlite: { path: data/lmbroker.db } }
keyring: { file: keys/keyring.json }
policy: { file: policy.yaml }
audit: { sinks: [ { file: { path: audit/audit.jsonl } } ] }
portals: { globex: {} }
)",
                           problems);
  ASSERT_THAT(problems, IsEmpty());
  EXPECT_EQ(config->listen.request_body, 8U << 20);
  EXPECT_EQ(config->listen.reply_body, 32U << 20);
  EXPECT_EQ(config->listen.in_flight, 4096U);
  EXPECT_EQ(config->listen.in_flight_per_caller, 512U);
  EXPECT_EQ(config->listen.connections, 2048U);
  EXPECT_EQ(config->listen.memory, std::size_t{1} << 30);
  EXPECT_EQ(config->listen.drain, absl::Seconds(20));
  EXPECT_EQ(config->listen.address_file, "");
  EXPECT_EQ(config->audit.sinks.at(0).rotate_bytes, 0U);
  EXPECT_EQ(config->log.level, LogLevel::kInfo);
  EXPECT_EQ(config->log.format, LogFormat::kJson);
  const Config::Portal& globex = config->portals.at(*PortalName::FromId("globex", ""));
  EXPECT_EQ(globex.host, "globex.logicmonitor.com");
  EXPECT_EQ(globex.port, 443);
  EXPECT_EQ(globex.ca, "");
  EXPECT_EQ(globex.resolve, "");
  EXPECT_FALSE(globex.allow_private_address);
  EXPECT_FALSE(globex.master.has_value());
  EXPECT_EQ(globex.connections, 64U);
  EXPECT_TRUE(globex.http2);
}

TEST_F(ConfigTest, RelativePathsAreRelativeToTheFile) {
  std::vector<std::string> problems;
  const auto config = Load(kConfig, problems);
  ASSERT_THAT(problems, IsEmpty());
  EXPECT_EQ(config->listen.certificate, directory_ / "tls/server.crt");
  EXPECT_EQ(config->store, directory_ / "data/lmbroker.db");
  EXPECT_EQ(config->listen.address_file, directory_ / "run/address");
  EXPECT_THAT(ProblemsWith("data/lmbroker.db", directory_ / "data/lmbroker.db"), IsEmpty());
}

// Law 8 of the design.
TEST_F(ConfigTest, FailClosedSaysEveryProblemAtOnce) {
  WriteFile(directory_ / "policy.yaml", "callers:\n  - name: a\n");
  SetMode("tls/server.key", 0640);
  std::string text(kConfig);
  for (const auto& [from, to] :
       std::vector<std::pair<std::string_view, std::string_view>>{{"reflection: false", "reflection: maybe"},
                                                                  {"4MiB", "4MB"},
                                                                  {"drain", "drane"},
                                                                  {"keys/keyring.json", "keys/none.json"},
                                                                  {"level: debug", "level: loud"},
                                                                  {"resolve: 127.0.0.1", "resolve: localhost"}}) {
    text.replace(text.find(from), from.size(), to);
  }
  std::vector<std::string> problems;
  EXPECT_FALSE(Load(text, problems).has_value());
  EXPECT_THAT(problems, Contains(HasSubstr("lmbrokerd.yaml:5: listen.reflection: must be true or false")));
  EXPECT_THAT(problems, Contains(HasSubstr("lmbrokerd.yaml:6: listen.limits.request_body: ")));
  EXPECT_THAT(problems, Contains("lmbrokerd.yaml:7: listen.drane: unknown key, did you mean drain?"));
  EXPECT_THAT(problems, Contains(HasSubstr("lmbrokerd.yaml:4: listen.tls.key: ")));
  EXPECT_THAT(problems, Contains(HasSubstr("lmbrokerd.yaml:10: keyring.file: ")));
  EXPECT_THAT(problems, Contains(HasSubstr("lmbrokerd.yaml:13: log.level: ")));
  EXPECT_THAT(problems, Contains(HasSubstr("lmbrokerd.yaml:19: portals.acme.resolve: ")));
  EXPECT_THAT(problems, Contains(HasSubstr("policy.yaml:2: callers[0].identities: must name at least one")));
  EXPECT_EQ(problems.size(), 8U);
}

TEST_F(ConfigTest, EmptyFileNamesEverySectionThatIsMissing) {
  std::vector<std::string> problems;
  Load("", problems);
  for (const std::string_view key :
       {"listen.address", "listen.tls.certificate", "listen.tls.key", "listen.tls.client_ca", "ops.address",
        "store.sqlite.path", "keyring.file", "policy.file", "audit.sinks", "portals"}) {
    EXPECT_THAT(problems, Contains(HasSubstr(std::string(key) + ": "))) << key;
  }
}

TEST_F(ConfigTest, FileThatCannotBeReadIsAProblem) {
  Issues issues("none.yaml");
  EXPECT_FALSE(LoadConfig(directory_ / "none.yaml", issues).has_value());
  ASSERT_EQ(issues.all().size(), 1U);
  Issues directory("run");
  EXPECT_FALSE(LoadConfig(directory_ / "run", directory).has_value());
  EXPECT_FALSE(directory.empty());
}

TEST_F(ConfigTest, KeyThatOthersMayReadIsRefused) {
  for (const mode_t mode : {0640, 0604, 0660, 0644, 0666}) {
    SetMode("tls/server.key", mode);
    EXPECT_THAT(Problems(), ElementsAre(HasSubstr("listen.tls.key: "))) << std::oct << mode;
  }
  SetMode("tls/server.key", 0400);
  EXPECT_THAT(Problems(), IsEmpty());
  SetMode("keys/keyring.json", 0644);
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("keyring.file: ")));
}

TEST_F(ConfigTest, TlsFilesMustBeWhatTheyAreFor) {
  EXPECT_THAT(ProblemsWith("tls/server.key", "tls/other.key"),
              ElementsAre(AllOf(HasSubstr("listen.tls.key: "), HasSubstr("not the key of"))));
  EXPECT_THAT(ProblemsWith("tls/server.key", "tls/ca.crt"), ElementsAre(HasSubstr("listen.tls.key: ")));
  EXPECT_THAT(ProblemsWith("tls/server.crt", "policy.yaml"), ElementsAre(HasSubstr("listen.tls.certificate: ")));
  EXPECT_THAT(ProblemsWith("tls/server.crt", "tls"), ElementsAre(HasSubstr("listen.tls.certificate: ")));
  EXPECT_THAT(ProblemsWith("client_ca: tls/ca.crt", "client_ca: tls/none.crt"),
              ElementsAre(HasSubstr("listen.tls.client_ca: ")));
  EXPECT_THAT(ProblemsWith("ca: tls/ca.crt\n    resolve", "ca: tls/server.key\n    resolve"),
              ElementsAre(HasSubstr("portals.acme.ca: ")));
}

TEST_F(ConfigTest, ProblemsShowNoKey) {
  WriteFile(directory_ / "tls/server.key", "-----BEGIN PRIVATE KEY-----\nTk9UIEEgS0VZIE5PVCBBIEtFWQ==\n");
  for (const std::string& problem : Problems()) EXPECT_THAT(problem, Not(HasSubstr("Tk9UIEEg")));
  EXPECT_THAT(Problems(), Not(IsEmpty()));
}

TEST_F(ConfigTest, PolicyIsReadForThePortalsOfTheFile) {
  WriteFile(directory_ / "policy.yaml",
            "callers:\n  - name: a\n    identities: ['dns:a.example']\n    tokens:\n"
            "      - {portal: globex, admins: any, verbs: [list]}\n");
  std::vector<std::string> problems;
  const auto config = Load(kConfig, problems);
  ASSERT_THAT(problems, IsEmpty());
  EXPECT_EQ(config->policy->callers.size(), 1U);
  EXPECT_THAT(ProblemsWith("  globex: {}\n", ""),
              ElementsAre(AllOf(HasSubstr("policy.yaml:5: "), HasSubstr("no portal of the configuration"))));
  EXPECT_THAT(ProblemsWith("policy.yaml", "none.yaml"), ElementsAre(HasSubstr("policy.file: ")));
}

struct Wrong {
  std::string name;
  std::string from;
  std::string to;
  std::string problem;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class WrongConfig : public ConfigTest, public ::testing::WithParamInterface<Wrong> {};

TEST_P(WrongConfig, IsRefusedWithThisProblemAlone) {
  EXPECT_THAT(ProblemsWith(GetParam().from, GetParam().to), ElementsAre(HasSubstr(GetParam().problem)));
}

const std::vector<Wrong> kWrong = {
    {"UnknownSection", "log:", "logs:", "logs: unknown key, did you mean log?"},
    {"AddressWithoutPort", "127.0.0.1:0", "127.0.0.1", "listen.address: must be HOST:PORT"},
    {"AddressWithoutHost", "127.0.0.1:0", "':8443'", "listen.address: must be HOST:PORT"},
    {"AddressPortTooLarge", "127.0.0.1:0", "127.0.0.1:65536", "listen.address: must be HOST:PORT"},
    {"AddressPortName", "127.0.0.1:0", "127.0.0.1:https", "listen.address: must be HOST:PORT"},
    {"AddressPortNegative", "127.0.0.1:0", "127.0.0.1:-1", "listen.address: must be HOST:PORT"},
    {"AddressWithScheme", "127.0.0.1:0", "https://127.0.0.1:8443", "listen.address: must be HOST:PORT"},
    {"AddressWithBlank", "127.0.0.1:0", "a b:8443", "listen.address: must be HOST:PORT"},
    {"AddressBareIpv6", "127.0.0.1:0", "'::1:8443'", "listen.address: must be HOST:PORT"},
    {"AddressUnixSocket", "127.0.0.1:0", "unix:/run/broker:1", "listen.address: must be HOST:PORT"},
    {"OpsAddressMissing", "address: \"127.0.0.1:9464\", ", "", "ops.address: is missing"},
    {"AddressFileNowhere", "run/address", "nowhere/address", "listen.address_file: "},
    {"AddressFileIsDirectory", "run/address", "run", "listen.address_file: "},
    {"BodyZero", "4MiB", "0", "listen.limits.request_body: "},
    {"BodyHuge", "4MiB", "2GiB", "listen.limits.request_body: "},
    {"BodyNegative", "4MiB", "-1", "listen.limits.request_body: "},
    {"BodyDecimalUnit", "16MiB", "16MB", "listen.limits.reply_body: "},
    {"InFlightZero", "in_flight: 100", "in_flight: 0", "listen.limits.in_flight: "},
    {"InFlightWord", "in_flight: 100", "in_flight: many", "listen.limits.in_flight: "},
    {"InFlightPerCallerNegative", "per_caller: 10", "per_caller: -1", "listen.limits.in_flight_per_caller: "},
    {"ConnectionsHuge", "connections: 20", "connections: 2000000", "listen.limits.connections: "},
    {"MemoryForNoLargestCall", "24MiB", "23MiB", "listen.limits.memory: must be at least 25165824 bytes"},
    {"MemoryZero", "24MiB", "0", "listen.limits.memory: "},
    {"MemoryHuge", "24MiB", "1025GiB", "listen.limits.memory: must be a size like 8MiB"},
    {"DrainZero", "drain: 5s", "drain: 0s", "listen.drain: "},
    {"DrainWithoutUnit", "drain: 5s", "drain: 5", "listen.drain: must be a duration"},
    {"BudgetOfNoMethod", "method: GET", "method: get", "portals.acme.budgets[0].method: must be GET"},
    {"BudgetOfNoApi", "api: ingest", "api: rest", "portals.acme.budgets[1].api: must be management or ingest"},
    {"BudgetOfNoPath", "/log/ingest", "log/ingest", "portals.acme.budgets[1].pattern: must be a plain path"},
    {"BudgetOfNothing", "limit: 9", "limit: 0", "portals.acme.budgets[1].limit: must be 1 to"},
    {"BudgetWindowShort", "window: 30s", "window: 500ms", "portals.acme.budgets[0].window: must be 1s to 1h"},
    {"BudgetWindowLong", "window: 30s", "window: 2h", "portals.acme.budgets[0].window: must be 1s to 1h"},
    {"BudgetTwice", "api: ingest, method: POST, pattern: /log/ingest", "method: GET, pattern: /device/devices/8",
     "portals.acme.budgets[1]: is of an endpoint and method that stand here already"},
    {"StoreNowhere", "data/lmbroker.db", "nowhere/lmbroker.db", "store.sqlite.path: "},
    {"StoreIsDirectory", "data/lmbroker.db", "data", "store.sqlite.path: "},
    {"StoreOfALaterVersion", "sqlite: { path: data/lmbroker.db }", "sqlite: { path: data/lmbroker.db }, postgres: {}",
     "store.postgres: unknown key"},
    {"KeyringMissing", "keys/keyring.json", "keys/none.json", "keyring.file: "},
    {"KeyringIsNone", "keys/keyring.json", "tls/server.key", "keyring.file: "},
    {"AgeShort", "connections: 20,", "connections: 20, connection_age: 9s,",
     "listen.limits.connection_age: must be 10s to 168h"},
    {"AgeLong", "connections: 20,", "connections: 20, connection_age: 169h,",
     "listen.limits.connection_age: must be 10s to 168h"},
    {"RevokedMissing", "client_ca: tls/ca.crt }", "client_ca: tls/ca.crt, revoked: tls/none.yaml }",
     "listen.tls.revoked: cannot open"},
    {"RevokedIsNone", "client_ca: tls/ca.crt }", "client_ca: tls/ca.crt, revoked: tls/ca.crt }",
     "listen.tls.revoked: "},
    {"TrustDomainsEmpty", "log: {", "identity: { spiffe: { trust_domains: {} } }\nlog: {",
     "identity.spiffe.trust_domains: must have 1 to 64"},
    {"TrustDomainWithScheme", "log: {",
     "identity: { spiffe: { trust_domains: { \"spiffe://a.example\": tls/ca.crt } } }\nlog: {",
     "must be named like a trust domain"},
    {"TrustDomainWithoutFile", "log: {", "identity: { spiffe: { trust_domains: { a.example: tls/none } } }\nlog: {",
     "identity.spiffe.trust_domains.a.example: cannot open"},
    {"KubernetesWithoutKeys", "log: {", "identity: { kubernetes: { issuer: a, audience: b } }\nlog: {",
     "identity.kubernetes: must have exactly one of"},
    {"KubernetesKeysTwice", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, jwks_file: c, discovery: { address: \"https://k\" } } }\nlog: "
     "{",
     "identity.kubernetes: must have exactly one of"},
    {"KubernetesKeysMissing", "log: {", "identity: { kubernetes: { issuer: a, audience: b, jwks_file: c } }\nlog: {",
     "identity.kubernetes.jwks_file: cannot open"},
    {"KubernetesKeysAreNone", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, jwks_file: tls/ca.crt } }\nlog: {",
     "identity.kubernetes.jwks_file: names a key set that is no JSON object"},
    {"KubernetesWithoutIssuer", "log: {",
     "identity: { kubernetes: { audience: b, discovery: { address: \"https://k\" } } }\nlog: {",
     "identity.kubernetes.issuer: is missing"},
    {"KubernetesWithoutAudience", "log: {",
     "identity: { kubernetes: { issuer: a, discovery: { address: \"https://k\" } } }\nlog: {",
     "identity.kubernetes.audience: is missing"},
    {"DiscoveryOverHttp", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"http://k\" } } }\nlog: {",
     "identity.kubernetes.discovery.address: must be https://HOST[:PORT]"},
    {"DiscoveryWithPath", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"https://k/x\" } } }\nlog: {",
     "identity.kubernetes.discovery.address: must be https://HOST[:PORT]"},
    {"DiscoveryWithUser", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"https://u@k\" } } }\nlog: {",
     "identity.kubernetes.discovery.address: must be HOST:PORT"},
    {"DiscoveryWithoutToken", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"https://k\", token_file: x } } }\nlog: "
     "{",
     "identity.kubernetes.discovery.token_file: cannot open"},
    {"ReviewWithBadAuthority", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"https://k\" }, token_review: { "
     "address: \"https://k\", ca: tls/server.key } } "
     "}\nlog: {",
     "identity.kubernetes.token_review.ca: "},
    {"LeewayLong", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"https://k\" }, leeway: 6m } }\nlog: {",
     "identity.kubernetes.leeway: must be at most 5m"},
    {"LeewayZero", "log: {",
     "identity: { kubernetes: { issuer: a, audience: b, discovery: { address: \"https://k\" }, leeway: 0s } }\nlog: {",
     "identity.kubernetes.leeway: "},
    {"HeadOfNoFile", "[ { file: { path: audit/audit.jsonl, rotate: { size: 256MiB, every: 24h } } } ]",
     "[ { stdout: {} } ], head: audit/head.json", "audit.head: needs a sink that is a file"},
    {"HeadIsASink", "need: all", "need: all, head: audit/audit.jsonl", "audit.head: must be another file"},
    {"HeadNowhere", "need: all", "need: all, head: nowhere/head.json", "audit.head: "},
    {"NeedWord", "need: all", "need: most", "audit.need: must be one of all, any"},
    {"SinksEmpty", "[ { file: { path: audit/audit.jsonl, rotate: { size: 256MiB, every: 24h } } } ]", "[]",
     "audit.sinks"},
    {"SinkOfNoKind", "file: { path: audit/audit.jsonl, rotate: { size: 256MiB, every: 24h } }", "",
     "audit.sinks[0]: must be a `file`"},
    {"SinkFacility", "[ { file:", "[ { syslog: { facility: loud } }, { file:", "audit.sinks[0].syslog.facility: "},
    {"SinkTwice", "[ { file:", "[ { stdout: {} }, { stdout: {} }, { file:", "audit.sinks[1]: has the name"},
    {"SinksOfOneName", "[ { file:", "[ { file: { path: run/audit.jsonl } }, { file:", "audit.sinks[1]: has the name"},
    {"AuditNowhere", "audit/audit.jsonl", "nowhere/audit.jsonl", "audit.sinks[0].file.path: "},
    {"RotateSize", "256MiB", "0", "audit.sinks[0].file.rotate.size: "},
    {"RotateEvery", "24h", "1d", "audit.sinks[0].file.rotate.every: must be a duration"},
    {"LogFormat", "format: text", "format: xml", "log.format: must be one of json, text"},
    {"PortalName", "  globex: {}", "  Globex: {}", "portals.Globex: must be"},
    {"PortalFullName", "  globex: {}", "  portals/globex: {}", "must be"},
    {"PortalTwice", "  globex: {}", "  acme: {}", "second time"},
    {"PortalWithoutValue", "  globex: {}", "  globex:", "portals.globex: must be a map"},
    {"HostWithScheme", "Acme.logicmonitor.com", "https://acme.logicmonitor.com", "portals.acme.host: "},
    {"HostWithPort", "Acme.logicmonitor.com", "acme.logicmonitor.com:443", "portals.acme.host: "},
    {"HostWithUser", "Acme.logicmonitor.com", "user@acme.logicmonitor.com", "portals.acme.host: "},
    {"HostWithPath", "Acme.logicmonitor.com", "acme.logicmonitor.com/x", "portals.acme.host: "},
    {"HostWithDot", "Acme.logicmonitor.com", "acme.logicmonitor.com.", "portals.acme.host: "},
    {"HostAddress", "Acme.logicmonitor.com", "127.0.0.1", "portals.acme.host: "},
    {"HostIpv6", "Acme.logicmonitor.com", "'[::1]'", "portals.acme.host: "},
    {"HostDecimalAddress", "Acme.logicmonitor.com", "'2130706433'", "portals.acme.host: "},
    {"HostUnicode", "Acme.logicmonitor.com", "acm\xC3\xA9.example", "portals.acme.host: "},
    {"HostEmpty", "Acme.logicmonitor.com", "''", "portals.acme.host: "},
    {"PortZero", "port: 8443", "port: 0", "portals.acme.port: must be 1 to 65535"},
    {"PortTooLarge", "port: 8443", "port: 65536", "portals.acme.port: must be 1 to 65535"},
    {"ResolveName", "resolve: 127.0.0.1", "resolve: localhost", "portals.acme.resolve: "},
    {"ResolveOctal", "resolve: 127.0.0.1", "resolve: 0177.0.0.1", "portals.acme.resolve: "},
    {"ResolvePrivate", "resolve: 127.0.0.1\n    allow_private_address: true", "resolve: 10.0.0.1",
     "portals.acme.resolve: "},
    {"ResolveLinkLocal", "resolve: 127.0.0.1\n    allow_private_address: true", "resolve: 169.254.169.254",
     "portals.acme.resolve: "},
    {"ResolveMapped", "resolve: 127.0.0.1\n    allow_private_address: true", "resolve: '::ffff:127.0.0.1'",
     "portals.acme.resolve: "},
    {"MasterFullName", "acme-root", "portals/acme/credentials/root", "portals.acme.master: "},
    {"MasterUpperCase", "acme-root", "Root", "portals.acme.master: "},
    {"PortalConnectionsZero", "connections: 8", "connections: 0", "portals.acme.connections: "},
};

INSTANTIATE_TEST_SUITE_P(Table, WrongConfig, ::testing::ValuesIn(kWrong),
                         [](const auto& test) { return test.param.name; });

TEST_F(ConfigTest, AddressesInEveryHonestForm) {
  for (const std::string_view address :
       {"0.0.0.0:8443", "'[::1]:8443'", "'[::]:0'", "localhost:8443", "broker.example:1"}) {
    EXPECT_THAT(ProblemsWith("127.0.0.1:0", address), IsEmpty()) << address;
  }
}

TEST_F(ConfigTest, PublicAddressNeedsNoPermission) {
  EXPECT_THAT(ProblemsWith("resolve: 127.0.0.1\n    allow_private_address: true", "resolve: 93.184.216.34"), IsEmpty());
}

}  // namespace
}  // namespace lmbroker::app
