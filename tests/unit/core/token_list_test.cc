#include "service/core/token_list.h"

#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class TokenListTest : public CoreTest {
 protected:
  absl::StatusOr<TokenPage> List(TokenQuery query, std::string_view caller = "operators") {
    const auto call = As(caller);
    return list_.List(call->context(), query);
  }
  std::vector<std::int32_t> Ids(const absl::StatusOr<TokenPage>& page) {
    std::vector<std::int32_t> ids;
    EXPECT_THAT(page, IsOk());
    if (!page.ok()) return ids;
    for (const Token& token : page->tokens) ids.push_back(token.lm.id);
    return ids;
  }
  void AddTokens(int count, FakePortal::Row like = {.admin = 32}) {
    for (int i = 0; i < count; ++i) portal_.AddToken(like);
  }

  TokenList list_{{.portal = PortalParts(), .store = store_, .custody = *custody_, .random = random_}};
};

TEST_F(TokenListTest, BothTypesAreMergedById) {
  portal_.AddToken({.id = 3, .admin = 32, .type = TokenType::kBearer});
  portal_.AddToken({.id = 1, .admin = 33});
  portal_.AddToken({.id = 2, .admin = 32, .status = TokenStatus::kDisabled});
  EXPECT_THAT(Ids(List({.portal = Acme()})), ElementsAre(1, 2, 3));
  EXPECT_THAT(Ids(List({.portal = Acme(), .admin = 32})), ElementsAre(2, 3));
  EXPECT_THAT(Ids(List({.portal = Acme(), .type = TokenType::kBearer})), ElementsAre(3));
  EXPECT_THAT(Ids(List({.portal = Acme(), .enabled_only = true})), ElementsAre(1, 3));
  EXPECT_THAT(List({.portal = Acme(), .admin = 99}), RefusedWith(Reason::kUnknownAdmin));
}

TEST_F(TokenListTest, SearchLooksAtNoteAdminAndAccessIdInAnyCase) {
  portal_.AddToken({.id = 1, .admin = 32, .note = "The Inventory"});
  portal_.AddToken({.id = 2, .admin = 33, .note = "Zoë"});
  EXPECT_THAT(Ids(List({.portal = Acme(), .search = "INVENTORY"})), ElementsAre(1));
  EXPECT_THAT(Ids(List({.portal = Acme(), .search = "user-33"})), ElementsAre(2));
  EXPECT_THAT(Ids(List({.portal = Acme(), .search = "accessid000000000001"})), ElementsAre(1));
  EXPECT_THAT(Ids(List({.portal = Acme(), .search = "zoë"})), ElementsAre(2));
  EXPECT_THAT(Ids(List({.portal = Acme(), .search = "nobody"})), IsEmpty());
  EXPECT_THAT(List({.portal = Acme(), .search = "\xff"}), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(List({.portal = Acme(), .search = std::string(257, 'x')}), RefusedWith(Reason::kFieldInvalid));
}

TEST_F(TokenListTest, CallerSeesWhatItsGrantsCover) {
  portal_.AddToken({.id = 1, .admin = 33});
  portal_.AddToken({.id = 2, .admin = 32});
  portal_.AddToken({.id = 3, .admin = 32, .type = TokenType::kBearer});
  const auto page = List({.portal = Acme()}, "inventory");
  EXPECT_THAT(Ids(page), ElementsAre(2, 3));
  EXPECT_EQ(page->total, 2U);
  EXPECT_THAT(Ids(List({.portal = Acme()}, "bearers")), ElementsAre(3));
  EXPECT_THAT(Ids(List({.portal = Acme(), .admin = 32}, "bearers")), ElementsAre(3));
  EXPECT_THAT(List({.portal = Acme(), .type = TokenType::kLmv1}, "bearers"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(List({.portal = Acme(), .admin = 33}, "inventory"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(List({.portal = Acme()}, "stranger"), RefusedWith(Reason::kNoGrant));
}

TEST_F(TokenListTest, PagesCoverEverythingOnce) {
  AddTokens(7);
  TokenQuery query{.portal = Acme(), .page_size = 3};
  std::vector<std::int32_t> seen;
  int pages = 0;
  do {
    const auto page = List(query);
    ASSERT_THAT(page, IsOk());
    EXPECT_EQ(page->total, 7U);
    for (const Token& token : page->tokens) seen.push_back(token.lm.id);
    query.page_token = page->next_page_token;
    ++pages;
  } while (!query.page_token.empty());
  EXPECT_THAT(seen, ElementsAre(41, 42, 43, 44, 45, 46, 47));
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(portal_.requests().size(), 2U);  // one reading of both lists
}

TEST_F(TokenListTest, FirstPageIsAlwaysFresh) {
  AddTokens(1);
  EXPECT_THAT(Ids(List({.portal = Acme()})), ElementsAre(41));
  AddTokens(1);
  EXPECT_THAT(Ids(List({.portal = Acme()})), ElementsAre(41, 42));
}

TEST_F(TokenListTest, LaterPageReadsAgainAfterAMinute) {
  AddTokens(3);
  const auto first = List({.portal = Acme(), .page_size = 1});
  portal_.RemoveToken(42);
  clock_.Advance(absl::Seconds(61));
  EXPECT_THAT(Ids(List({.portal = Acme(), .page_size = 1, .page_token = first->next_page_token})), ElementsAre(43));
}

TEST_F(TokenListTest, PageTokenIsGoodForItsQueryAndCallerOnly) {
  AddTokens(3);
  const TokenQuery query{.portal = Acme(), .admin = 32, .page_size = 1};
  const std::string token = List(query)->next_page_token;
  ASSERT_FALSE(token.empty());
  const auto with = [&](TokenQuery changed, std::string page_token, std::string_view caller = "operators") {
    changed.page_token = std::move(page_token);
    return List(changed, caller);
  };
  EXPECT_THAT(with(query, token), IsOk());
  EXPECT_THAT(with({.portal = Acme(), .admin = 32, .page_size = 2}, token), IsOk());  // the size may change
  EXPECT_THAT(with(query, token, "inventory"), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(with({.portal = Acme()}, token), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(with({.portal = Acme(), .admin = 33}, token), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(with({.portal = Acme(), .admin = 32, .type = TokenType::kLmv1}, token),
              RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(with({.portal = Acme(), .admin = 32, .enabled_only = true}, token), RefusedWith(Reason::kFieldInvalid));
  EXPECT_THAT(with({.portal = Acme(), .admin = 32, .search = "x"}, token), RefusedWith(Reason::kFieldInvalid));
  std::string tampered = token;
  tampered[tampered.size() / 2] = tampered[tampered.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& bad :
       {tampered, token + "A", token.substr(1), std::string("41"), std::string(5000, 'A'), std::string("\xff\0", 2)}) {
    EXPECT_THAT(with(query, bad), RefusedWith(Reason::kFieldInvalid));
  }
}

TEST_F(TokenListTest, LongListsAreReadInOverlappingPages) {
  AddTokens(25);
  portal_.SetPageSize(10);
  EXPECT_THAT(List({.portal = Acme(), .type = TokenType::kLmv1, .page_size = 1000})->tokens, SizeIs(25));
  EXPECT_THAT(portal_.requests(), ElementsAre(HasSubstr("offset=0&"), HasSubstr("offset=9&"), HasSubstr("offset=18&")));
}

// Tokens that are deleted between two of LM's pages move the rest forwards, so that a plain reader would miss rows;
// new ones come last.
TEST_F(TokenListTest, ListIsStableWhileRowsShift) {
  AddTokens(25);
  portal_.SetPageSize(10);
  int requests = 0;
  portal_.OnRequest([&](const std::string&) {
    ++requests;
    if (requests == 2) portal_.RemoveToken(42);
    if (requests == 3) portal_.AddToken({.id = 100, .admin = 32});
    if (requests == 5) portal_.RemoveToken(50);
  });
  const auto ids = Ids(List({.portal = Acme(), .type = TokenType::kLmv1, .page_size = 1000}));
  EXPECT_THAT(ids, SizeIs(24));
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  for (const FakePortal::Row& row : portal_.tokens()) EXPECT_THAT(ids, testing::Contains(row.id));
}

TEST_F(TokenListTest, ListThatKeepsMovingIsRefused) {
  AddTokens(200);
  portal_.SetPageSize(10);
  std::int32_t next = 41;
  portal_.OnRequest([&](const std::string&) { portal_.RemoveToken(next++); });
  EXPECT_THAT(List({.portal = Acme(), .type = TokenType::kLmv1}), RefusedWith(Reason::kPortalError));
  EXPECT_LE(portal_.requests().size(), 10U);
}

TEST_F(TokenListTest, CustodyIsShown) {
  AddTokens(2);
  const store::CreateIntent intent{
      .marker = "m", .admin = Admin(), .credential = Credential("reader"), .create_time = clock_.Now()};
  ASSERT_THAT(store_.BeginCreate(intent, std::nullopt), IsOk());
  ASSERT_THAT(
      custody_->Adopt("m", {.name = Token41(), .credential = Credential("reader"), .create_time = clock_.Now()},
                      {.name = Credential("reader"), .token = Token41(), .create_time = clock_.Now(), .secret = {}},
                      Secret("lma_reader-key")),
      IsOk());
  const auto page = List({.portal = Acme()});
  ASSERT_THAT(page->tokens, SizeIs(2));
  EXPECT_EQ(page->tokens[0].holder, TokenHolder::kBroker);
  EXPECT_EQ(page->tokens[0].credential, Credential("reader"));
  EXPECT_EQ(page->tokens[1].holder, TokenHolder::kForeign);
}

}  // namespace
}  // namespace lmbroker::core
