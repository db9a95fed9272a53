#pragma once

namespace lmbroker {

// LM's two kinds of API token.
enum class TokenType { kLmv1, kBearer };

// LM's own numbers.
enum class TokenStatus { kDisabled = 1, kEnabled = 2 };

}  // namespace lmbroker
