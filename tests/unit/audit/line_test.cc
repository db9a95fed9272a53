#include "service/audit/line.h"

#include <limits>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "service/audit/chain.h"

namespace lmbroker::audit {
namespace {

std::string Line(const Record& record, std::uint64_t seq = 7) {
  std::string unnumbered;
  AppendUnnumbered(unnumbered, record);
  std::string line;
  Link last{.seq = seq - 1};
  AppendChained(line, unnumbered, last);
  return line;
}

const Record kFull = {.kind = Kind::kOutcome,
                      .time = absl::FromUnixMicros(1'700'000'000'123'456),
                      .id = "id",
                      .caller = "inventory",
                      .identity = "spiffe://corp/x",
                      .certificate_identity = "dns:x",
                      .peer = "ipv4:10.0.0.7:1",
                      .method = "/lmbroker.v1.ForwardService/Forward",
                      .portal = "portals/acme",
                      .resource = "portals/acme/admins/1",
                      .rule = "inventory.forward[0]",
                      .credential = "portals/acme/credentials/c",
                      .access_id = "access",
                      .http_method = "GET",
                      .path = "/device/devices",
                      .query_digest = "qd",
                      .body_digest = "bd",
                      .decision = Decision::kAllowed,
                      .code = "OK",
                      .reason = "NONE",
                      .http_status = 200,
                      .attempts = 1,
                      .duration_us = 1234,
                      .count = 5};

TEST(LineTest, HasExactlyTheKeysOfTheContract) {
  const auto json = nlohmann::json::parse(Line(kFull));
  std::set<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.insert(key);
  EXPECT_EQ(keys, (std::set<std::string>{
                      "seq",       "time",        "kind",        "id",           "caller",      "identity",
                      "peer",      "method",      "portal",      "resource",     "rule",        "credential",
                      "access_id", "http_method", "path",        "query_digest", "body_digest", "decision",
                      "code",      "reason",      "http_status", "attempts",     "duration_us", "certificate_identity",
                      "count",     "prev",        "hash"}));
  EXPECT_EQ(json["seq"], 7);
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(json["decision"], "allowed");
  EXPECT_EQ(json["http_status"], 200);
  EXPECT_EQ(json["duration_us"], 1234);
}

TEST(LineTest, WhatIsUnknownIsLeftOut) {
  std::string unnumbered;
  AppendUnnumbered(unnumbered, {.kind = Kind::kStart, .time = absl::UnixEpoch()});
  EXPECT_EQ(unnumbered, "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"kind\":\"start\"}\n");
}

TEST(LineTest, KindsAndDecisionsAreLowerCase) {
  const std::pair<Kind, std::string> kinds[] = {{Kind::kIntent, "intent"},     {Kind::kOutcome, "outcome"},
                                                {Kind::kRefusals, "refusals"}, {Kind::kCheckpoint, "checkpoint"},
                                                {Kind::kStart, "start"},       {Kind::kStop, "stop"}};
  for (const auto& [kind, name] : kinds) EXPECT_EQ(nlohmann::json::parse(Line({.kind = kind}))["kind"], name);
  EXPECT_EQ(nlohmann::json::parse(Line({.decision = Decision::kRefused}))["decision"], "refused");
}

TEST(LineTest, HostileFieldIsOneFieldOfOneLine) {
  const std::string hostile = "/x\",\"decision\":\"allowed\"}\n{\"seq\":8,\"kind\":\"outcome\"}\n\xff\xed\xa0\x80";
  const std::string line = Line({.path = hostile, .decision = Decision::kRefused});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["decision"], "refused");
  EXPECT_EQ(json["path"].get<std::string>().substr(0, hostile.size() - 4), hostile.substr(0, hostile.size() - 4));
}

TEST(LineTest, NoRecordIsLongerThanTheBound) {
  const std::string huge(1'000'000, '\x01');  // six bytes each once escaped
  Record record = kFull;
  for (std::string* field :
       {&record.id, &record.caller, &record.identity, &record.certificate_identity, &record.peer, &record.method,
        &record.portal, &record.resource, &record.rule, &record.credential, &record.access_id, &record.http_method,
        &record.path, &record.query_digest, &record.body_digest, &record.code, &record.reason}) {
    *field = huge;
  }
  const std::string line = Line(record, std::numeric_limits<std::uint64_t>::max());
  EXPECT_LE(line.size(), kMostLineBytes);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

TEST(LineTest, LongestPathOfTheContractIsKeptWhole) {
  const std::string path = "/" + std::string(2047, 'p');
  EXPECT_EQ(nlohmann::json::parse(Line({.path = path}))["path"], path);
}

}  // namespace
}  // namespace lmbroker::audit
