#include "service/http/query.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/base/text.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

using std::string_literals::operator""s;

TEST(QueryTest, OrderIsKeptAndValuesAreEncoded) {
  const auto query =
      CanonicalQuery::Make({{"size", "50"}, {"filter", "name:\"web 1\"&x=1+2"}, {"size", "60"}, {"fields", ""}});
  ASSERT_THAT(query, IsOk());
  EXPECT_EQ(query->encoded(), "size=50&filter=name%3A%22web%201%22%26x%3D1%2B2&size=60&fields=");
  EXPECT_EQ(query->pairs().size(), 4U);
}

TEST(QueryTest, NoPairsIsEmpty) {
  EXPECT_EQ(CanonicalQuery().encoded(), "");
  EXPECT_EQ(CanonicalQuery::Make({})->encoded(), "");
}

TEST(QueryTest, SpecialBytesCannotLeaveTheirPair) {
  const auto query = CanonicalQuery::Make({{"a&v=1", "x\r\nHost: evil#?/%00;"}, {"V", "1"}, {" v", "1"}, {"v ", "1"}});
  ASSERT_THAT(query, IsOk());
  EXPECT_EQ(query->encoded(), "a%26v%3D1=x%0D%0AHost%3A%20evil%23%3F%2F%2500%3B&V=1&%20v=1&v%20=1");
}

TEST(QueryTest, OneHundredPairsAreTheLimit) {
  EXPECT_THAT(CanonicalQuery::Make(std::vector<NameValue>(100, {"a", "1"})), IsOk());
  EXPECT_THAT(CanonicalQuery::Make(std::vector<NameValue>(101, {"a", "1"})), RefusedWith(Reason::kFieldInvalid));
}

TEST(QueryTest, EightKibibytesEncodedAreTheLimit) {
  EXPECT_THAT(CanonicalQuery::Make({{"a", std::string(8190, 'x')}}), IsOk());
  EXPECT_THAT(CanonicalQuery::Make({{"a", std::string(8191, 'x')}}), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(CanonicalQuery::Make({{"a", std::string(2731, ' ')}}), RefusedWith(Reason::kFieldInvalid));
}

struct HostilePair {
  NameValue pair;
  std::string field;
};

TEST(QueryTest, HostilePairIsRefusedByName) {
  const std::vector<HostilePair> table = {HostilePair{{"v", "1"}, "query[1].name"},
                                          HostilePair{{"v", ""}, "query[1].name"},
                                          HostilePair{{"", "1"}, "query[1].name"},
                                          HostilePair{{"", ""}, "query[1].name"},
                                          HostilePair{{"a\0"s, "1"}, "query[1].name"},
                                          HostilePair{{"a", "\0"s}, "query[1].value"},
                                          HostilePair{{"a", "b\0c"s}, "query[1].value"},
                                          HostilePair{{"\xFF", "1"}, "query[1].name"},
                                          HostilePair{{"a", "\xC0\x80"}, "query[1].value"},
                                          HostilePair{{"a", "\xC0\xAF"}, "query[1].value"},
                                          HostilePair{{"a", "\xED\xA0\x80"}, "query[1].value"},
                                          HostilePair{{"a", "\xE2\x82"}, "query[1].value"},
                                          HostilePair{{"a", "\xF4\x90\x80\x80"}, "query[1].value"},
                                          HostilePair{{"a", "caf\xE9"}, "query[1].value"}};
  for (const auto& [pair, field] : table) {
    const absl::Status status = CanonicalQuery::Make({{"size", "1"}, pair}).status();
    EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << Excerpt(pair.name) << Excerpt(pair.value);
    EXPECT_EQ(MetadataOf(status)["field"], field);
  }
}

}  // namespace
}  // namespace lmbroker::http
