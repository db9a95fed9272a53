#pragma once

// The bodies of requests to Vault's Transit engine and of its replies, which hold keys: written and read in locked
// memory alone.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/base/secret.h"

namespace lmbroker::crypto {

// {"plaintext": …, "associated_data": …}, both in base64.
Secret EncryptRequest(const Secret& plaintext, std::string_view associated);
// {"ciphertext": …, "associated_data": …}.
Secret DecryptRequest(std::string_view ciphertext, std::string_view associated);

// `data.ciphertext` of a reply, "vault:v1:…"; nothing when there is none.
std::optional<std::string> CiphertextOf(std::string_view reply);
// `data.plaintext` of a reply, decoded.
std::optional<Secret> PlaintextOf(std::string_view reply);

// The key version of a ciphertext: 7 of "vault:v7:…". Nothing when it is not one.
std::optional<std::uint32_t> VersionOf(std::string_view ciphertext);

}  // namespace lmbroker::crypto
