#include "service/h2/request_head.h"

#include <string>

#include <gtest/gtest.h>

namespace lmbroker::h2 {
namespace {

TEST(RequestHeadTest, AFieldIsFoundByItsName) {
  RequestHead head;
  head.Add(":path", "/lmbroker.v1.Signer/Sign");
  head.Add("te", "trailers");
  EXPECT_EQ(head.Find(":path"), "/lmbroker.v1.Signer/Sign");
  EXPECT_EQ(head.Find("te"), "trailers");
}

TEST(RequestHeadTest, AnEmptyHeadHasNothing) {
  const RequestHead head;
  EXPECT_EQ(head.Find(":path"), "");
  EXPECT_EQ(head.Count(":path"), 0U);
}

TEST(RequestHeadTest, AnUnknownNameHasNoValueAndCountsNothing) {
  RequestHead head;
  head.Add("authorization", "Bearer abc");
  EXPECT_EQ(head.Find("author"), "");
  EXPECT_EQ(head.Find("authorizationBearer"), "");
  EXPECT_EQ(head.Find(""), "");
  EXPECT_EQ(head.Count("author"), 0U);
}

TEST(RequestHeadTest, OfSeveralTheFirstIsFoundAndAllAreCounted) {
  RequestHead head;
  head.Add("x", "first");
  head.Add("y", "other");
  head.Add("x", "second");
  EXPECT_EQ(head.Find("x"), "first");
  EXPECT_EQ(head.Count("x"), 2U);
  EXPECT_EQ(head.Count("y"), 1U);
}

TEST(RequestHeadTest, AnEmptyValueIsCountedAllTheSame) {
  RequestHead head;
  head.Add("x", "");
  head.Add("y", "value");
  EXPECT_EQ(head.Find("x"), "");
  EXPECT_EQ(head.Count("x"), 1U);
  EXPECT_EQ(head.Find("y"), "value");
}

TEST(RequestHeadTest, NamesAndValuesMayHaveAnyBytes) {
  RequestHead head;
  const std::string value("a\0b\xff", 4);
  head.Add("x-bin", value);
  head.Add("after", "it");
  EXPECT_EQ(head.Find("x-bin"), value);
  EXPECT_EQ(head.Find("after"), "it");
}

// It grows now and then meanwhile.
TEST(RequestHeadTest, ALargeHeadKeepsAllThatWasAdded) {
  RequestHead head;
  for (int i = 0; i < 500; ++i) {
    head.Add("name-" + std::to_string(i), "value-" + std::to_string(i));
    ASSERT_EQ(head.Find("name-0"), "value-0");
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(head.Find("name-" + std::to_string(i)), "value-" + std::to_string(i));
    EXPECT_EQ(head.Count("name-" + std::to_string(i)), 1U);
  }
}

TEST(RequestHeadTest, OneFieldMayBeLargerThanAllBefore) {
  RequestHead head;
  const std::string token(10'000, 't');
  head.Add(":path", "/");
  head.Add("authorization", token);
  head.Add("te", "trailers");
  EXPECT_EQ(head.Find(":path"), "/");
  EXPECT_EQ(head.Find("authorization"), token);
  EXPECT_EQ(head.Find("te"), "trailers");
}

}  // namespace
}  // namespace lmbroker::h2
