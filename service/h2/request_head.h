#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lmbroker::h2 {

// One header field. Names are in lower case, as HTTP/2 sends them.
struct Header {
  std::string_view name;
  std::string_view value;
};

// The header fields of a request, pseudo-headers among them (":path").
class RequestHead {
 public:
  RequestHead() = default;
  ~RequestHead();  // callers' tokens are among them: overwritten
  RequestHead(const RequestHead&) = delete;
  RequestHead& operator=(const RequestHead&) = delete;

  void Add(std::string_view name, std::string_view value);

  // The value of the first field of that name; empty when there is none.
  std::string_view Find(std::string_view name) const;
  std::size_t Count(std::string_view name) const;

 private:
  struct Field {
    std::size_t at;  // of the name in text_; the value follows it
    std::size_t name_size;
    std::size_t value_size;
  };
  std::string_view NameOf(const Field& field) const { return {text_.data() + field.at, field.name_size}; }
  void MakeRoom(std::size_t more);

  std::string text_;
  std::vector<Field> fields_;
};

}  // namespace lmbroker::h2
