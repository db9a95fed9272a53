#include "service/portal/secret_forms.h"

#include <string>

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

// The invented key of logicmonitor-api, section 2.5.
constexpr std::string_view kKey = "lma_Invented(Key)For{Tests}=0123456789+^~";

std::string Masked(std::string text) {
  SecretForms(Secret(kKey)).Mask(text);
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
    EXPECT_TRUE(SecretForms(Secret(kKey)).FoundIn(text)) << text;
    EXPECT_LT(Masked(text).size(), 20U) << Masked(text);
  }
}

TEST(SecretFormsTest, OtherTextStays) {
  const std::string text = "lma_Invented(Key)For{Tests}=0123456789+^ and lma_";
  EXPECT_EQ(Masked(text), text);
  EXPECT_EQ(Masked(""), "");
}

TEST(SecretFormsTest, ShortSecretsAreNotSearchedFor) {
  std::string text = "a short secret";
  EXPECT_FALSE(SecretForms(Secret("short")).Mask(text));
  EXPECT_FALSE(SecretForms(Secret()).FoundIn(text));
}

}  // namespace
}  // namespace lmbroker::portal
