#pragma once

#include <initializer_list>
#include <string_view>

#include "service/base/secret.h"
#include "service/crypto/digest.h"

namespace lmbroker::crypto {

// HMAC-SHA256 (RFC 2104) over the `pieces` of a message as if they were one text; none of them is copied. What OpenSSL
// derives from `key` is overwritten before this returns.
Digest HmacSha256(const Secret& key, std::initializer_list<std::string_view> pieces);

}  // namespace lmbroker::crypto
