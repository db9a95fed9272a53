#include "service/base/names.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"

namespace lmbroker {
namespace {

using std::string_literals::operator""s;

// Ids of portals and credentials: [a-z]([a-z0-9-]{0,61}[a-z0-9])?
const std::vector<std::string> kGoodIds = {"a", "z", "a1", "ab", "acme", "a-b", "a--b", "a0", std::string(63, 'a')};
const std::vector<std::string> kBadIds = {"",
                                          "-",
                                          "1",
                                          "1a",
                                          "-a",
                                          "a-",
                                          "A",
                                          "aB",
                                          "a_b",
                                          "a.b",
                                          "a b",
                                          " a",
                                          "a ",
                                          "a\n",
                                          "a/b",
                                          "a:b",
                                          "a%62",
                                          "ä",
                                          "a\xC3\xA9",
                                          "a\xff",
                                          "a\0"s,
                                          "a\0b"s,
                                          "a*",
                                          "*",
                                          "**",
                                          ".",
                                          "..",
                                          "a?",
                                          "a#",
                                          "a;b",
                                          "\xEF\xBB\xBF"
                                          "a",
                                          "a\t",
                                          "а" /* Cyrillic */,
                                          std::string(64, 'a'),
                                          std::string(10'000, 'a')};

// Decimal, 1…2147483647, no leading zero, no sign.
const std::vector<std::string> kGoodNumbers = {"1", "9", "10", "32", "2147483647"};
const std::vector<std::string> kBadNumbers = {"",    "0",    "00",  "01",         "-1",         "+1",
                                              "1.0", "1e3",  "0x1", " 1",         "1 ",         "1\n",
                                              "1,0", "a",    "1a",  "2147483648", "4294967297", "18446744073709551617",
                                              "١",   "1\0"s, "1_0", "*",          "-",          std::string(1000, '1')};

std::string FieldOf(const absl::Status& status) { return MetadataOf(status)["field"]; }

TEST(PortalNameTest, GoodNamesComeBack) {
  for (const std::string& id : kGoodIds) {
    const auto name = PortalName::Parse("portals/" + id, "parent");
    ASSERT_THAT(name, IsOk()) << id;
    EXPECT_EQ(name->id(), id);
    EXPECT_EQ(name->ToString(), "portals/" + id);
    EXPECT_EQ(*PortalName::FromId(id, "portal"), *name);
  }
}

TEST(PortalNameTest, BadIdsAreRefusedByField) {
  for (const std::string& id : kBadIds) {
    for (const absl::Status& status :
         {PortalName::Parse("portals/" + id, "parent").status(), PortalName::FromId(id, "parent").status()}) {
      EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << id;
      EXPECT_EQ(FieldOf(status), "parent");
    }
  }
}

TEST(PortalNameTest, OtherShapesAreRefused) {
  for (const std::string_view name :
       {"", "/", "portals", "portals/", "/portals/acme", "portals/acme/", "portals//acme", "Portals/acme",
        "portal/acme", "portals/acme/admins/1", "acme", "portals/acme ", "portals\\acme", "//lmbroker/portals/acme",
        "portals/acme\n", "portals/portals/acme"}) {
    EXPECT_THAT(PortalName::Parse(name, "parent"), RefusedWith(Reason::kFieldInvalid)) << name;
  }
}

TEST(AdminNameTest, GoodNamesComeBack) {
  for (const std::string& id : kGoodNumbers) {
    const auto name = AdminName::Parse("portals/acme/admins/" + id, "parent");
    ASSERT_THAT(name, IsOk()) << id;
    EXPECT_EQ(name->portal().id(), "acme");
    EXPECT_EQ(std::to_string(name->id()), id);
    EXPECT_EQ(name->ToString(), "portals/acme/admins/" + id);
  }
}

TEST(AdminNameTest, BadPartsAndShapesAreRefused) {
  std::vector<std::string> bad = {"portals/acme",           "portals/acme/admins",          "portals/acme/admins/1/",
                                  "portals/acme/admin/1",   "portals/acme/admins/1/tokens", "admins/1",
                                  "portals/acme//admins/1", "portals/acme/credentials/1"};
  for (const std::string& id : kBadNumbers) bad.push_back("portals/acme/admins/" + id);
  for (const std::string& id : kBadIds) bad.push_back("portals/" + id + "/admins/1");
  for (const std::string& name : bad) {
    const absl::Status status = AdminName::Parse(name, "parent").status();
    EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid)) << name;
    EXPECT_EQ(FieldOf(status), "parent");
  }
}

TEST(TokenNameTest, GoodNamesComeBack) {
  for (const std::string& id : kGoodNumbers) {
    const auto name = TokenName::Parse("portals/acme/admins/32/tokens/" + id, "name");
    ASSERT_THAT(name, IsOk()) << id;
    EXPECT_EQ(name->admin(), *AdminName::Parse("portals/acme/admins/32", "parent"));
    EXPECT_EQ(name->portal().id(), "acme");
    EXPECT_EQ(std::to_string(name->id()), id);
    EXPECT_EQ(name->ToString(), "portals/acme/admins/32/tokens/" + id);
  }
}

TEST(TokenNameTest, BadPartsAndShapesAreRefused) {
  std::vector<std::string> bad = {"portals/acme/admins/32", "portals/acme/admins/32/tokens",
                                  "portals/acme/admins/32/tokens/1/x", "portals/acme/tokens/1",
                                  "portals/acme/admins/32/apitokens/1"};
  for (const std::string& id : kBadNumbers) {
    bad.push_back("portals/acme/admins/32/tokens/" + id);
    bad.push_back("portals/acme/admins/" + id + "/tokens/1");
  }
  for (const std::string& id : kBadIds) bad.push_back("portals/" + id + "/admins/32/tokens/1");
  for (const std::string& name : bad) {
    EXPECT_THAT(TokenName::Parse(name, "name"), RefusedWith(Reason::kFieldInvalid)) << name;
  }
}

TEST(CredentialNameTest, GoodNamesComeBack) {
  for (const std::string& id : kGoodIds) {
    const auto name = CredentialName::Parse("portals/acme/credentials/" + id, "name");
    ASSERT_THAT(name, IsOk()) << id;
    EXPECT_EQ(name->id(), id);
    EXPECT_EQ(name->portal().id(), "acme");
    EXPECT_EQ(name->ToString(), "portals/acme/credentials/" + id);
    EXPECT_EQ(*CredentialName::FromId(name->portal(), id, "credential_id"), *name);
  }
}

TEST(CredentialNameTest, BadPartsAndShapesAreRefused) {
  std::vector<std::string> bad = {"portals/acme", "portals/acme/credentials", "portals/acme/credentials/a/b",
                                  "credentials/a", "portals/acme/admins/1"};
  for (const std::string& id : kBadIds) {
    bad.push_back("portals/acme/credentials/" + id);
    bad.push_back("portals/" + id + "/credentials/a");
    EXPECT_THAT(CredentialName::FromId(*PortalName::FromId("acme", "portal"), id, "credential_id"),
                RefusedWith(Reason::kFieldInvalid))
        << id;
  }
  for (const std::string& name : bad) {
    EXPECT_THAT(CredentialName::Parse(name, "name"), RefusedWith(Reason::kFieldInvalid)) << name;
  }
}

TEST(NamesTest, NeverEchoTheInput) {
  for (const absl::Status& status :
       {PortalName::Parse("portals/lmb_SECRET", "f").status(), AdminName::Parse("lmb_SECRET", "f").status(),
        TokenName::Parse("lmb_SECRET", "f").status(), CredentialName::Parse("lmb_SECRET", "f").status()}) {
    EXPECT_THAT(status.ToString(), testing::Not(testing::HasSubstr("SECRET")));
  }
}

TEST(NamesTest, OrderAndEqualityAreByAllParts) {
  const auto token = [](std::string_view portal, std::int32_t admin, std::int32_t id) {
    return TokenName(AdminName(*PortalName::FromId(portal, "portal"), admin), id);
  };
  EXPECT_EQ(token("acme", 1, 2), token("acme", 1, 2));
  EXPECT_NE(token("acme", 1, 2), token("beta", 1, 2));
  EXPECT_NE(token("acme", 1, 2), token("acme", 2, 2));
  EXPECT_LT(token("acme", 9, 9), token("acme", 10, 1));
  EXPECT_LT(token("acme", 9, 9), token("beta", 1, 1));
}

}  // namespace
}  // namespace lmbroker
