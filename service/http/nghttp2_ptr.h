#pragma once

// What every user of nghttp2's C interface needs, towards portals and towards callers (h2/session).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <nghttp2/nghttp2.h>

namespace lmbroker::http {

struct FreeNghttp2 {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
  void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

// Owns an object of nghttp2's.
template <class Object>
using Nghttp2Ptr = std::unique_ptr<Object, FreeNghttp2>;

inline std::string_view ToView(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace lmbroker::http
