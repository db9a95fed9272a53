#include "service/ops/readiness.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lmbroker::ops {
namespace {

Check Saying(std::string name, CheckResult result) {
  return {.name = std::move(name), .run = [result = std::move(result)] { return result; }};
}

TEST(ReadinessTest, IsReadyWhenEveryCheckIs) {
  const Readiness readiness = Judge({Saying("audit", {}), Saying("keys", {})});
  EXPECT_TRUE(readiness.ready);
  EXPECT_EQ(readiness.json, R"({"ready":true,"checks":{"audit":{"ready":true},"keys":{"ready":true}}})");
}

TEST(ReadinessTest, OneThatIsNotReadyIsEnoughAndAllAreTold) {
  const Readiness readiness =
      Judge({Saying("audit", {.ready = false, .detail = "the disk is full"}), Saying("keys", {})});
  EXPECT_FALSE(readiness.ready);
  EXPECT_EQ(readiness.json,
            R"({"ready":false,"checks":{"audit":{"ready":false,"detail":"the disk is full"},"keys":{"ready":true}}})");
}

TEST(ReadinessTest, WhatIsWrongAlthoughItIsReadyIsTold) {
  const Readiness readiness = Judge({Saying("policy", {.detail = "line 3: \"nam\"\n"})});
  EXPECT_TRUE(readiness.ready);
  EXPECT_EQ(nlohmann::json::parse(readiness.json)["checks"]["policy"]["detail"], "line 3: \"nam\"\n");
}

TEST(ReadinessTest, NoChecksAreReady) { EXPECT_EQ(Judge({}).json, R"({"ready":true,"checks":{}})"); }

}  // namespace
}  // namespace lmbroker::ops
