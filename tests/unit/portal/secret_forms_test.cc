#include "service/portal/secret_forms.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/portal/mask.h"

namespace lmbroker::portal {
namespace {

// The invented key of logicmonitor-api, section 2.5.
constexpr std::string_view kKey = "lma_Invented(Key)For{Tests}=0123456789+^~";

std::vector<Span> Found(std::string_view text, std::string_view key = kKey) {
  std::vector<Span> found;
  const SecretForms forms{Secret(key)};
  EXPECT_EQ(forms.Search({.text = text}, 0, found), text.size());
  return found;
}

std::string Masked(std::string text) {
  MaskAll(text, Found(text));
  return text;
}

std::string Letters(std::mt19937& random, std::size_t size) {
  std::string text(size, 'a');
  for (char& c : text) c = static_cast<char>('a' + random() % 2);
  return text;
}

TEST(SecretFormsTest, EveryFormIsMasked) {
  // Made with Python: base64, urlsafe, hex and urllib.parse.quote of the key.
  const std::string forms[] = {
      std::string(kKey),
      "lma_Invented%28Key%29For%7BTests%7D%3D0123456789%2B%5E~",
      "lma_Invented%28Key%29For%7bTests%7d%3d0123456789%2b%5e~",
      "6c6d615f496e76656e746564284b657929466f727b54657374737d3d303132333435363738392b5e7e",
      "6C6D615F496E76656E746564284B657929466F727B54657374737D3D303132333435363738392B5E7E",
      "bG1hX0ludmVudGVkKEtleSlGb3J7VGVzdHN9PTAxMjM0NTY3ODkrXn4=",
  };
  for (const std::string& form : forms) {
    const std::string masked = Masked("a " + form + " b " + form);
    EXPECT_EQ(masked.substr(0, 6), "a ****") << form;
    EXPECT_LT(masked.size(), 20U) << masked;
  }
}

TEST(SecretFormsTest, Base64IsFoundAtEveryAlignment) {
  // base64 of "u:" + key, "us:" + key, "usr:" + key.
  const std::string texts[] = {"dTpsbWFfSW52ZW50ZWQoS2V5KUZvcntUZXN0c309MDEyMzQ1Njc4OSteflg=",
                               "dXM6bG1hX0ludmVudGVkKEtleSlGb3J7VGVzdHN9PTAxMjM0NTY3ODkrXn5Y",
                               "dXNyOmxtYV9JbnZlbnRlZChLZXkpRm9ye1Rlc3RzfT0wMTIzNDU2Nzg5K15+WA=="};
  for (const std::string& text : texts) {
    EXPECT_FALSE(Found(text).empty()) << text;
    EXPECT_LT(Masked(text).size(), 20U) << Masked(text);
  }
}

TEST(SecretFormsTest, OtherTextStays) {
  const std::string text = "lma_Invented(Key)For{Tests}=0123456789+^ and lma_";
  EXPECT_EQ(Masked(text), text);
  EXPECT_EQ(Masked(""), "");
}

// Against the search that nobody doubts.
TEST(SecretFormsTest, EveryOccurrenceIsFoundInWhateverPieces) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same texts every time
  for (int round = 0; round < 2000; ++round) {
    const std::string key = Letters(random, 8 + random() % 5);
    std::string text;
    while (text.size() < 300) text += random() % 4 == 0 ? key.substr(random() % 3) : Letters(random, random() % 12);
    std::vector<std::size_t> expected;
    for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) expected.push_back(at);

    const SecretForms forms{Secret(key)};
    std::vector<Span> found;
    std::size_t from = 0;
    for (std::size_t size = 0; size < text.size();) {
      size = std::min(text.size(), size + random() % 90);
      from = forms.Search({.text = std::string_view(text).substr(from, size - from), .offset = from, .last = false},
                          from, found);
    }
    forms.Search({.text = std::string_view(text).substr(from), .offset = from}, from, found);
    std::vector<std::size_t> starts;
    for (const Span& span : found) starts.push_back(span.begin);
    ASSERT_EQ(starts, expected) << text;
  }
}

TEST(SecretFormsTest, ShortSecretsAreNotSearchedFor) {
  EXPECT_TRUE(Found("a short secret", "short").empty());
  EXPECT_TRUE(Found("a short secret", "").empty());
}

}  // namespace
}  // namespace lmbroker::portal
