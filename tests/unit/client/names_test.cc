#include "client/cli/names.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lmbroker::cli {
namespace {

struct Form {
  std::string_view typed;
  std::string_view full;
};

TEST(NamesTest, ShortAndFullFormsGiveTheFullName) {
  for (const auto& [typed, full] : {Form{"acme", "portals/acme"}, {"portals/acme", "portals/acme"}}) {
    EXPECT_EQ(FullPortal(typed), full) << typed;
  }
  for (const auto& [typed, full] : {Form{"acme/32", "portals/acme/admins/32"},
                                    {"portals/acme/admins/32", "portals/acme/admins/32"},
                                    {"portals/32", "portals/portals/admins/32"}}) {  // a portal named "portals"
    EXPECT_EQ(FullAdmin(typed), full) << typed;
  }
  for (const auto& [typed, full] : {Form{"acme/32/41", "portals/acme/admins/32/tokens/41"},
                                    {"portals/acme/admins/32/tokens/41", "portals/acme/admins/32/tokens/41"},
                                    {"portals/32/41", "portals/portals/admins/32/tokens/41"}}) {
    EXPECT_EQ(FullToken(typed), full) << typed;
  }
  for (const auto& [typed, full] : {Form{"acme/reader", "portals/acme/credentials/reader"},
                                    {"portals/acme/credentials/reader", "portals/acme/credentials/reader"},
                                    {"portals/reader", "portals/portals/credentials/reader"}}) {
    EXPECT_EQ(FullCredential(typed), full) << typed;
  }
}

TEST(NamesTest, OtherTextIsNoName) {
  for (const std::string_view text :
       {"", "/", "Acme", "acme/", "/acme", "acme//32", "acme/32/41/1", "acme/032/41", "acme/0/41", "acme/-1/41",
        "acme/2147483648/41", "acme/32/41 ", "acme/*/41", "portals/acme/admins/32/tokens",
        "portals/acme/admins/x/tokens/1", "acme/32/41\n", "ac\xC3\xBCme/32/41", "*/*/*", "portals/*"}) {
    EXPECT_EQ(FullToken(text), std::nullopt) << text;
    EXPECT_EQ(FullAdmin(text), std::nullopt) << text;
    EXPECT_EQ(FullPortal(text), std::nullopt) << text;
  }
  for (const std::string_view text : {"acme", "acme/Reader", "acme/reader/1", "acme/-reader"}) {
    EXPECT_EQ(FullCredential(text), std::nullopt) << text;
  }
}

TEST(NamesTest, ShortFormIsReadBackAsTheSameName) {
  EXPECT_EQ(ShortName("portals/acme/admins/32/tokens/41"), "acme/32/41");
  EXPECT_EQ(ShortName("portals/acme/admins/32"), "acme/32");
  EXPECT_EQ(ShortName("portals/acme/credentials/reader"), "acme/reader");
  EXPECT_EQ(ShortName("portals/acme"), "acme");
  EXPECT_EQ(FullToken(ShortName("portals/portals/admins/32/tokens/41")), "portals/portals/admins/32/tokens/41");
}

TEST(NamesTest, TextThatIsNoNameStaysAsItIs) {
  EXPECT_EQ(ShortName(""), "");
  EXPECT_EQ(ShortName("leases/1"), "leases/1");
}

}  // namespace
}  // namespace lmbroker::cli
