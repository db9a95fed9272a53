#include "service/base/secret.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <gtest/gtest.h>

namespace lmbroker {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };
template <class T>
concept ConvertsToText = std::is_convertible_v<T, std::string> || std::is_convertible_v<T, std::string_view>;

// Law 1: no raw key leaves. A key is a type that cannot be printed, copied or serialised.
TEST(LawTest, SecretCannotBePrintedOrCopied) {
  static_assert(Streamable<std::string>);
  static_assert(!Streamable<Secret>);
  static_assert(!fmt::is_formattable<Secret>::value);
  static_assert(!ConvertsToText<Secret>);
  static_assert(!std::is_copy_constructible_v<Secret>);
  static_assert(!std::is_copy_assignable_v<Secret>);
  static_assert(!std::is_convertible_v<std::string_view, Secret>, "only on purpose");
  static_assert(std::is_nothrow_move_constructible_v<Secret>);
  static_assert(std::is_nothrow_move_assignable_v<Secret>);
}

TEST(SecretTest, HoldsItsOwnCopy) {
  std::string source = "key";
  const Secret secret(source);
  Wipe(source.data(), source.size());
  EXPECT_EQ(secret.Reveal(), "key");
  EXPECT_EQ(source, std::string(3, '\0'));
}

TEST(SecretTest, HoldsAnyBytes) {
  const std::string bytes("a\0b\xff", 4);
  EXPECT_EQ(Secret(bytes).Reveal(), bytes);
  EXPECT_TRUE(Secret().empty());
  EXPECT_TRUE(Secret("").empty());
  EXPECT_EQ(Secret("").Reveal(), "");
}

TEST(SecretTest, WithSizeIsZeroAndFillable) {
  Secret secret = Secret::WithSize(3);
  EXPECT_EQ(secret.Reveal(), std::string(3, '\0'));
  std::memcpy(secret.data(), "abc", 3);
  EXPECT_EQ(secret.Reveal(), "abc");
}

TEST(SecretTest, MoveLeavesNothingBehind) {
  Secret source("key");
  Secret target(std::move(source));
  EXPECT_EQ(target.Reveal(), "key");
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): what is left is the point
  Secret other("other");
  other = std::move(target);
  EXPECT_EQ(other.Reveal(), "key");
  EXPECT_TRUE(target.empty());  // NOLINT(bugprone-use-after-move)
  Secret& same = other;
  other = std::move(same);
  EXPECT_EQ(other.Reveal(), "key");
}

TEST(SecretTest, DuplicateIsIndependent) {
  Secret copy;
  {
    const Secret original("key");
    copy = original.Duplicate();
  }
  EXPECT_EQ(copy.Reveal(), "key");
}

TEST(SecretTest, EqualityIsOfTheBytes) {
  EXPECT_TRUE(Secret("key") == Secret("key"));
  EXPECT_FALSE(Secret("key") == Secret("kez"));
  EXPECT_FALSE(Secret("key") == Secret("key2"));
  EXPECT_FALSE(Secret("key") == Secret());
  EXPECT_TRUE(Secret() == Secret(""));
}

// In a process of its own: the heap is for the whole process.
TEST(SecureHeapDeathTest, OpensOnceAndHoldsSecrets) {
  EXPECT_EXIT(
      {
        const bool opened = OpenSecureHeap(65536, 65536).ok();
        const Secret secret("key");
        std::exit(opened && secret.Reveal() == "key" && SecureHeapUse() == 32.0 / 65536 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// The most that may be locked: half of the first wish, and nothing below the last one. A process that gave its rights
// away cannot be searched for leaks, hence _Exit.
TEST(SecureHeapDeathTest, IsAsLargeAsCanBeLocked) {
  EXPECT_EXIT(
      {
        rlimit limit{};
        limit.rlim_cur = limit.rlim_max = 70'000;
        const bool limited = setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && (geteuid() != 0 || setuid(65534) == 0);
        const bool refused = !OpenSecureHeap(262144, 131072).ok();
        const bool opened = OpenSecureHeap(262144, 32768).ok();
        const Secret secret("key");
        std::_Exit(limited && refused && opened && SecureHeapUse() == 32.0 / 65536 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(SecureHeapTest, NoneIsNeverFull) { EXPECT_EQ(SecureHeapUse(), 0); }

}  // namespace
}  // namespace lmbroker
