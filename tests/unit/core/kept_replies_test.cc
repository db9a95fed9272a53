#include "service/core/kept_replies.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace lmbroker::core {
namespace {

constexpr absl::Duration kNow = absl::Hours(1);

std::shared_ptr<const ForwardReply> Reply(std::size_t bytes = 10, char filling = 'x') {
  const auto credential = CredentialName::Parse("portals/acme/credentials/reader", "credential");
  return std::make_shared<const ForwardReply>(
      ForwardReply{.status = 200, .body = std::string(bytes, filling), .credential = *credential});
}

// As ReadKeyOf makes them.
std::string Key(std::string_view path, std::string_view rest = "rest") {
  std::string key("acme");
  key += '\0';
  key += 'm';
  key += path;
  key += '/';
  key += '\0';
  key += rest;
  return key;
}
std::string Resource(std::string_view path) {
  const std::string key = Key(path, "");
  return key.substr(0, key.size() - 1);
}

TEST(KeptRepliesTest, AReplyIsServedUntilItsTimeIsUpAndSaysItsAge) {
  KeptReplies kept({});
  kept.Put("a", Reply(), kNow, absl::Seconds(10));
  const auto soon = kept.Find("a", kNow + absl::Seconds(9));
  ASSERT_TRUE(soon.has_value());
  EXPECT_EQ(soon->age, absl::Seconds(9));
  EXPECT_EQ(soon->reply->body, "xxxxxxxxxx");
  EXPECT_FALSE(kept.Find("b", kNow).has_value());
  EXPECT_FALSE(kept.Find("a", kNow + absl::Seconds(10)).has_value());
  EXPECT_EQ(kept.size(), 0U);
  EXPECT_EQ(kept.bytes(), 0U);
}

TEST(KeptRepliesTest, ANewReplyTakesThePlaceOfTheOldOne) {
  KeptReplies kept({});
  kept.Put("a", Reply(10, 'x'), kNow, absl::Seconds(10));
  const std::size_t bytes = kept.bytes();
  kept.Put("a", Reply(10, 'y'), kNow + absl::Seconds(5), absl::Seconds(10));
  EXPECT_EQ(kept.bytes(), bytes);
  const auto found = kept.Find("a", kNow + absl::Seconds(12));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->reply->body.front(), 'y');
  EXPECT_EQ(found->age, absl::Seconds(7));
}

TEST(KeptRepliesTest, BytesAreBoundedAndThoseUsedLastStay) {
  KeptReplies kept({.bytes = 16 << 10});
  for (int i = 0; i < 100; ++i) {
    kept.Put("key" + std::to_string(i), Reply(1 << 10), kNow, absl::Seconds(10));
    EXPECT_TRUE(kept.Find("key0", kNow).has_value()) << i;
    EXPECT_LE(kept.bytes(), 16U << 10);
  }
  EXPECT_GE(kept.size(), 8U);
  EXPECT_TRUE(kept.Find("key99", kNow).has_value());
  EXPECT_FALSE(kept.Find("key1", kNow).has_value());
}

TEST(KeptRepliesTest, TheirNumberIsBounded) {
  KeptReplies kept({.replies = 3});
  for (int i = 0; i < 10; ++i) kept.Put("key" + std::to_string(i), Reply(), kNow, absl::Seconds(10));
  EXPECT_EQ(kept.size(), 3U);
  EXPECT_TRUE(kept.Find("key7", kNow).has_value());
}

TEST(KeptRepliesTest, OneLongReplyDoesNotDisplaceTheOthers) {
  KeptReplies kept({.bytes = 16 << 10});
  kept.Put("short", Reply(), kNow, absl::Seconds(10));
  kept.Put("long", Reply(2 << 10), kNow, absl::Seconds(10));
  EXPECT_FALSE(kept.Find("long", kNow).has_value());
  EXPECT_TRUE(kept.Find("short", kNow).has_value());
  kept.Put("short", Reply(2 << 10), kNow, absl::Seconds(10));  // and what it would have replaced is gone
  EXPECT_FALSE(kept.Find("short", kNow).has_value());
}

TEST(KeptRepliesTest, WhatIsTooOldGivesWay) {
  KeptReplies kept({});
  kept.Put("old", Reply(), kNow, absl::Seconds(1));
  kept.Put("new", Reply(), kNow + absl::Seconds(2), absl::Seconds(1));
  EXPECT_EQ(kept.size(), 1U);
}

TEST(KeptRepliesTest, AWriteDropsItsResourceWhatIsBelowAndWhatItIsBelow) {
  const auto is_dropped = [](std::string_view written, const std::string& key) {
    KeptReplies kept({});
    kept.Put(key, Reply(), kNow, absl::Seconds(10));
    kept.DropUnderWrite(Resource(written));
    return kept.size() == 0;
  };
  for (const char* path : {"/a/b", "/a", "/a/b/c", "/a/b/c/d"}) EXPECT_TRUE(is_dropped("/a/b", Key(path))) << path;
  for (const char* path : {"/a/c", "/a/bb", "/a/b-c", "/aa", "/b", "/c/a/b"}) {
    EXPECT_FALSE(is_dropped("/a/b", Key(path))) << path;
  }
  EXPECT_TRUE(is_dropped("/a/b/c/d", Key("/a")));
  // The same path elsewhere.
  std::string other = Key("/a/b");
  other.replace(0, 4, "beta");
  EXPECT_FALSE(is_dropped("/a/b", other));
  std::string ingest = Key("/a/b");
  ingest[5] = 'i';
  EXPECT_FALSE(is_dropped("/a/b", ingest));
}

TEST(KeptRepliesTest, AWriteDropsEveryReadOfTheResource) {
  KeptReplies kept({});
  for (const char* rest : {"page 1", "page 2", ""}) kept.Put(Key("/a", rest), Reply(), kNow, absl::Seconds(10));
  kept.Put(Key("/b"), Reply(), kNow, absl::Seconds(10));
  kept.DropUnderWrite(Resource("/a/b"));
  EXPECT_EQ(kept.size(), 1U);
  EXPECT_TRUE(kept.Find(Key("/b"), kNow).has_value());
}

}  // namespace
}  // namespace lmbroker::core
