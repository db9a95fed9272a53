#include "service/portal/budget_rows.h"

#include <string>

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

Endpoint Get(std::string_view path) { return {.path = path}; }

TEST(BudgetRowsTest, PathsOfOnePatternShareARow) {
  BudgetRows rows({}, 10);
  BudgetRow& row = rows.Find(Get("/device/devices/7"));
  EXPECT_EQ(row.pattern, "/device/devices/{id}");
  EXPECT_EQ(&rows.Find(Get("/device/devices/8")), &row);
  EXPECT_NE(&rows.Find(Get("/device/devices")), &row);
  EXPECT_EQ(rows.all().size(), 2U);
}

TEST(BudgetRowsTest, OperatorsWordStandsForTheDefault) {
  BudgetRows rows({{.pattern = "/device/devices/{id}", .limit = 7, .window = absl::Seconds(5)}}, 10);
  const Budget& configured = rows.Find(Get("/device/devices/1")).budget;
  EXPECT_EQ(configured.limit(), 7);
  EXPECT_EQ(configured.window(), absl::Seconds(5));
  const Budget& other = rows.Find({.method = http::Method::kPatch, .path = "/device/devices/1"}).budget;
  EXPECT_EQ(other.limit(), 250);
  EXPECT_EQ(other.window(), absl::Minutes(1));
}

TEST(BudgetRowsTest, TheOneUsedLongestAgoMakesRoom) {
  BudgetRows rows({}, 2);
  for (const char* path : {"/a", "/b", "/a", "/c"}) rows.Find(Get(path));
  ASSERT_EQ(rows.all().size(), 2U);
  EXPECT_EQ(rows.all().front().pattern, "/c");
  EXPECT_EQ(rows.all().back().pattern, "/a");
}

TEST(BudgetRowsTest, ARowInUseStays) {
  BudgetRows rows({}, 1);
  rows.Find(Get("/a")).budget.Take();
  rows.Find(Get("/b"));
  EXPECT_EQ(rows.all().size(), 2U);
  rows.Find(Get("/c"));
  EXPECT_EQ(rows.all().size(), 2U);
  EXPECT_EQ(rows.Find(Get("/a")).budget.in_flight(), 1);
}

// Where tokens are switched off, deleted and probed a part is kept for that.
TEST(BudgetRowsTest, APartIsReservedWhereTokensAreManagedAndProbed) {
  BudgetRows rows({}, 10);
  const auto left = [&rows](const Endpoint& endpoint) {
    Budget& budget = rows.Find(endpoint).budget;
    int taken = 0;
    for (; budget.HasRoom(Priority::kNormal, absl::ZeroDuration()); ++taken) budget.Take();
    return budget.limit() - taken;
  };
  EXPECT_EQ(left({.method = http::Method::kPatch, .path = "/setting/admins/32/apitokens/41"}), 12);
  EXPECT_EQ(left(Get("/setting/admins/apitokens")), 25);
  EXPECT_EQ(left(Get("/device/devices")), 25);
  EXPECT_EQ(left(Get("/device/groups")), 0);
  EXPECT_EQ(left({.api = http::Api::kIngest, .method = http::Method::kPost, .path = "/log/ingest"}), 0);
}

}  // namespace
}  // namespace lmbroker::portal
