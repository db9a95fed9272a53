#include "service/core/shared_reads.h"

#include <atomic>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/task.h"
#include "service/core/read_key.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kShare = absl::Seconds(10);

Answer Good(std::string body = "{}") {
  const auto credential = CredentialName::Parse("portals/acme/credentials/reader", "credential");
  return {.reply = ForwardReply{.status = 200, .body = std::move(body), .credential = *credential},
          .attempts = 1,
          .http_status = 200};
}

class SharedReadsTest : public testing::Test {
 protected:
  // Somebody who reads, and what came of it. Ends before the reads do.
  struct Reader {
    std::stop_source stop;
    SharedReads::Found found;
    std::optional<SharedReads::Ending> ending;

    std::string body() const { return found.kept.has_value() ? found.kept->reply->body : ending->answer->reply->body; }
  };

  static PortalName Acme() { return *PortalName::FromId("acme", "portal"); }
  static http::CanonicalRequest Request(std::string method, std::string path) {
    auto request = http::CanonicalRequest::Make({.method = std::move(method), .path = std::move(path)}, {});
    if (!request.ok()) std::abort();
    return *std::move(request);
  }
  static std::string Key(std::string path) {
    return ResourceOf(Acme(), Request("GET", std::move(path))) + '\0' + "rest";
  }

  static Task<SharedReads::Ending> Await(SharedReads* reads, std::shared_ptr<SharedReads::Read> read,
                                         absl::Duration deadline, std::stop_token cancelled) {
    SharedReads::Wait wait(*reads, std::move(read), deadline, std::move(cancelled));
    SharedReads::Ending ending = co_await wait;
    co_return ending;
  }

  // Finds, and waits when there is something to wait for.
  Reader& Come(const std::string& key, bool fresh = false, absl::Duration time = absl::Seconds(5)) {
    Reader& reader = readers_.emplace_back();
    const PortalName portal = Acme();
    const absl::Duration deadline = clock_.Monotonic() + time;
    reader.found = reads_.Find({.key = key, .portal = portal, .share = kShare, .deadline = deadline, .fresh = fresh});
    if (reader.found.read != nullptr) {
      Start(Await(&reads_, reader.found.read, deadline, reader.stop.get_token()),
            [&reader](SharedReads::Ending ending) { reader.ending = std::move(ending); });
    }
    scheduler_.RunDue();
    return reader;
  }

  void End(const Reader& reader, Answer answer = Good(), bool keep = true) {
    reads_.End(reader.found.read, std::move(answer), keep);
    scheduler_.RunDue();
  }

  // A write of ours, from its beginning to its end.
  void Write(std::string path, std::string method = "POST") {
    const http::CanonicalRequest request = Request(std::move(method), std::move(path));
    const PortalName portal = Acme();
    const SharedReads::Write write(reads_, portal, request);
  }

  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
  Metrics metrics_{{.version = "", .methods = {}, .portals = {"acme"}}};
  SharedReads reads_{{.clock = clock_, .scheduler = scheduler_, .metrics = metrics_}};
  std::deque<Reader> readers_;
  const std::string key_ = Key("/a");
};

TEST_F(SharedReadsTest, IdenticalReadsInFlightShareACall) {
  const Reader& first = Come(key_);
  EXPECT_TRUE(first.found.begun);
  std::vector<const Reader*> others;
  for (int i = 0; i < 5; ++i) others.push_back(&Come(key_));
  EXPECT_TRUE(Come(Key("/b")).found.begun);
  for (const Reader* other : others) {
    EXPECT_FALSE(other->found.begun);
    EXPECT_EQ(other->found.read, first.found.read);
    EXPECT_FALSE(other->ending.has_value());
  }
  End(first, Good("shared"));
  for (const Reader* other : others) {
    ASSERT_TRUE(other->ending.has_value());
    EXPECT_THAT(other->ending->left, IsOk());
    EXPECT_EQ(other->body(), "shared");
    EXPECT_EQ(other->ending->age, absl::ZeroDuration());
  }
  EXPECT_EQ(scheduler_.timers(), 1U);  // of the one who reads something else
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(lmbroker_shared_reads_total{from="in_flight",portal="acme"} 5)"));
  End(readers_.back());
}

TEST_F(SharedReadsTest, AReplyIsKeptForItsTimeFromItsEnd) {
  const Reader& first = Come(key_);
  clock_.Advance(absl::Seconds(4));
  End(first, Good("kept"));
  clock_.Advance(absl::Seconds(9));
  const Reader& second = Come(key_);
  ASSERT_TRUE(second.found.kept.has_value());
  EXPECT_EQ(second.body(), "kept");
  EXPECT_EQ(second.found.kept->age, absl::Seconds(9));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(lmbroker_shared_reads_total{from="memory",portal="acme"} 1)"));
  clock_.Advance(absl::Seconds(1));
  const Reader& third = Come(key_);
  EXPECT_TRUE(third.found.begun);
  End(third);
}

TEST_F(SharedReadsTest, WhatIsNotToBeKeptIsSharedInFlightAlone) {
  const Reader& first = Come(key_);
  const Reader& second = Come(key_);
  End(first, Good("not kept"), /*keep=*/false);
  EXPECT_EQ(second.body(), "not kept");
  const Reader& third = Come(key_);
  EXPECT_TRUE(third.found.begun);
  End(third, {.reply = Refuse(Reason::kPortalUnreachable, "Lost.")});
  EXPECT_THAT(third.ending->answer->reply, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_FALSE(Come(key_).found.kept.has_value());
  End(readers_.back());
}

TEST_F(SharedReadsTest, ACancelledFirstReaderDoesNotFailTheOthers) {
  Reader& first = Come(key_);
  const Reader& second = Come(key_);
  first.stop.request_stop();
  scheduler_.RunDue();
  ASSERT_TRUE(first.ending.has_value());
  EXPECT_THAT(first.ending->left, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(first.ending->answer, nullptr);
  EXPECT_FALSE(second.ending.has_value());
  EXPECT_FALSE(first.found.read->cancelled().stop_requested());
  EXPECT_FALSE(Come(key_).found.begun);  // and others may still join
  End(first);
  EXPECT_EQ(second.body(), "{}");
}

TEST_F(SharedReadsTest, EachReaderWaitsNoLongerThanItsOwnDeadline) {
  const Reader& first = Come(key_, false, absl::Seconds(1));
  const Reader& second = Come(key_, false, absl::Seconds(3));
  const Reader& third = Come(key_, false, absl::Seconds(5));
  EXPECT_EQ(first.found.read->deadline(), clock_.Monotonic() + absl::Seconds(30));
  scheduler_.Advance(absl::Seconds(1));
  ASSERT_TRUE(first.ending.has_value());
  EXPECT_THAT(first.ending->left, RefusedWith(Reason::kDeadline));
  EXPECT_FALSE(second.ending.has_value());
  scheduler_.Advance(absl::Seconds(2));
  EXPECT_THAT(second.ending->left, RefusedWith(Reason::kDeadline));
  EXPECT_FALSE(third.ending.has_value());
  End(first);
  EXPECT_THAT(third.ending->left, IsOk());
}

TEST_F(SharedReadsTest, ACallHasTheTimeOfWhoeverBeganItWhenThatIsMore) {
  const Reader& reader = Come(key_, false, absl::Minutes(5));
  EXPECT_EQ(reader.found.read->deadline(), clock_.Monotonic() + absl::Minutes(5));
  End(reader);
}

TEST_F(SharedReadsTest, TheLastToLeaveCancelsTheCallAndWaitsForItsEnd) {
  Reader& first = Come(key_);
  const Reader& second = Come(key_, false, absl::Seconds(1));
  first.stop.request_stop();
  scheduler_.RunDue();
  EXPECT_FALSE(first.found.read->cancelled().stop_requested());
  scheduler_.Advance(absl::Seconds(1));
  EXPECT_TRUE(first.found.read->cancelled().stop_requested());
  EXPECT_FALSE(second.ending.has_value());
  const Reader& third = Come(key_);  // nobody joins what is being cancelled
  EXPECT_TRUE(third.found.begun);
  End(second, {.reply = Cancelled(), .attempts = 1});
  ASSERT_TRUE(second.ending.has_value());
  EXPECT_THAT(second.ending->left, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(second.ending->answer->attempts, 1);
  EXPECT_FALSE(third.ending.has_value());
  End(third);
  EXPECT_THAT(third.ending->left, IsOk());
}

TEST_F(SharedReadsTest, AnAnswerThatIsThereWinsOverALeave) {
  Reader& reader = Come(key_);
  reads_.End(reader.found.read, Good(), /*keep=*/true);
  reader.stop.request_stop();  // both are on their way to the scheduler's thread
  scheduler_.RunDue();
  ASSERT_TRUE(reader.ending.has_value());
  EXPECT_THAT(reader.ending->left, IsOk());
}

TEST_F(SharedReadsTest, ACallThatEndsBeforeItIsAwaitedIsNotWaitedFor) {
  const PortalName portal = Acme();
  const auto found =
      reads_.Find({.key = key_, .portal = portal, .share = kShare, .deadline = clock_.Monotonic() + absl::Seconds(1)});
  reads_.End(found.read, Good(), /*keep=*/true);
  std::optional<SharedReads::Ending> ending;
  Start(Await(&reads_, found.read, clock_.Monotonic() + absl::Seconds(1), {}),
        [&](SharedReads::Ending ended) { ending = std::move(ended); });
  ASSERT_TRUE(ending.has_value());
  EXPECT_NE(ending->answer, nullptr);
}

TEST_F(SharedReadsTest, AFreshReadIsACallOfItsOwnWhoseReplyReplacesTheKeptOne) {
  End(Come(key_), Good("old"));
  const Reader& fresh = Come(key_, /*fresh=*/true);
  EXPECT_TRUE(fresh.found.begun);
  EXPECT_EQ(Come(key_).body(), "old");  // the new one is not there yet
  EXPECT_TRUE(Come(key_, /*fresh=*/true).found.begun);
  const Reader& last = readers_.back();
  End(last, Good("newest"));
  End(fresh, Good("new"));  // was begun before, so it is not the one to keep
  EXPECT_EQ(fresh.body(), "new");
  EXPECT_EQ(Come(key_).body(), "newest");
}

TEST_F(SharedReadsTest, AFreshReadDoesNotJoinAndMayBeJoined) {
  const Reader& first = Come(key_);
  const Reader& fresh = Come(key_, /*fresh=*/true);
  EXPECT_NE(fresh.found.read, first.found.read);
  const Reader& third = Come(key_);
  EXPECT_EQ(third.found.read, fresh.found.read);
  End(first, Good("first"));
  EXPECT_FALSE(third.ending.has_value());
  End(fresh, Good("fresh"));
  EXPECT_EQ(first.body(), "first");
  EXPECT_EQ(third.body(), "fresh");
  EXPECT_EQ(Come(key_).body(), "fresh");
}

TEST_F(SharedReadsTest, AWriteDropsWhatIsKeptUnderItsPath) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    for (const char* path : {"/a", "/a/b", "/a/b/c"}) {
      End(Come(Key("/a/b"), /*fresh=*/true));
      Write(path, method);
      EXPECT_TRUE(Come(Key("/a/b")).found.begun) << method << path;
      End(readers_.back());
    }
  }
  Write("/a/c");
  Write("/a/b", "GET");
  EXPECT_TRUE(Come(Key("/a/b")).found.kept.has_value());
}

// Whatever the order in which the portal carried the two out.
TEST_F(SharedReadsTest, AReadThatAWriteOvertakesIsNeitherKeptNorJoined) {
  const http::CanonicalRequest request = Request("POST", "/a");
  const PortalName portal = Acme();
  const Reader& before = Come(key_);
  std::optional<SharedReads::Write> write(std::in_place, reads_, portal, request);
  const Reader& during = Come(key_);
  EXPECT_TRUE(during.found.begun);  // it is not to see less than the portal may show already
  write.reset();
  const Reader& after = Come(key_);
  EXPECT_TRUE(after.found.begun);
  End(before, Good("before"));
  End(during, Good("during"));
  EXPECT_EQ(before.body(), "before");  // its reader came before the write, too
  EXPECT_EQ(during.body(), "during");
  EXPECT_EQ(Come(key_).found.read, after.found.read);
  End(after, Good("after"));
  EXPECT_EQ(Come(key_).body(), "after");
}

TEST_F(SharedReadsTest, WhatIsReadDuringAWriteIsDroppedAtItsEnd) {
  const http::CanonicalRequest request = Request("POST", "/a");
  const PortalName portal = Acme();
  SharedReads::Write write(reads_, portal, request);
  End(Come(key_), Good("during"));
  EXPECT_EQ(Come(key_).body(), "during");
  write.End();
  EXPECT_TRUE(Come(key_).found.begun);
  End(readers_.back(), Good("after"));
  write.End();  // once is enough
  EXPECT_EQ(Come(key_).body(), "after");
}

// Readers, writers and answers of several threads, for the sanitizers; and nobody is forgotten.
TEST_F(SharedReadsTest, ManyThreadsMayUseIt) {
  constexpr int kThreads = 4;
  constexpr int kReads = 500;
  std::atomic<int> served = 0;
  std::atomic<int> running = kThreads;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, &served, &running, thread] {
      const PortalName portal = Acme();
      for (int i = 0; i < kReads; ++i) {
        if (i % 10 == 0) Write("/a");
        const absl::Duration deadline = clock_.Monotonic() + absl::Seconds(5);
        const auto found = reads_.Find(
            {.key = key_, .portal = portal, .share = kShare, .deadline = deadline, .fresh = (i + thread) % 5 == 0});
        if (found.kept.has_value()) {
          ++served;
          continue;
        }
        Start(Await(&reads_, found.read, deadline, {}), [&served](const SharedReads::Ending& ending) {
          if (ending.answer != nullptr && ending.left.ok()) ++served;
        });
        if (found.begun) reads_.End(found.read, Good(), /*keep=*/true);
      }
      --running;
    });
  }
  while (running > 0) scheduler_.RunDue();
  for (std::thread& thread : threads) thread.join();
  scheduler_.RunDue();
  EXPECT_EQ(served, kThreads * kReads);
  EXPECT_EQ(scheduler_.timers(), 0U);
}

}  // namespace
}  // namespace lmbroker::core
