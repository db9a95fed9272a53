#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lmbroker::cli {

// `text` as it may go to a terminal: control characters, marks that turn the writing direction and bytes that are not
// UTF-8 become \xNN. Notes come from the portal, where anybody may have written them.
std::string Printable(std::string_view text);

// Rows in aligned columns, two spaces apart. Every cell is made printable.
class Table {
 public:
  // Without a header the first row is like the others.
  explicit Table(std::vector<std::string> header = {});

  // `cells` has as many cells as the header.
  void Add(std::vector<std::string> cells);

  // Every row ends with a line end; trailing spaces are dropped.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lmbroker::cli
