#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/time/time.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/mutex.h"
#include "service/base/token.h"
#include "service/http/client.h"

namespace lmbroker {

// A tiny portal in memory behind the HTTP client's interface: users 32 and 33, their tokens, one device. It answers at
// once, on the sender's thread, and misbehaves when the test says so. Safe for concurrent use.
class FakePortal final : public http::Client {
 public:
  enum class Fault {
    kNone,
    kNotSent,     // no connection
    kUnheard,     // the connection broke; the portal saw nothing, which the broker cannot know
    kAnswerLost,  // done, but the answer is lost
    kTimeout,     // as kUnheard, but the deadline ends the wait
    kFails,       // 500, nothing done
    kFailsLate,   // 500, but done
    kBadGateway,  // 502, nothing done
    kGarbage,     // done, answered with HTML
  };

  struct Row {
    std::int32_t id = 0;
    std::int32_t admin = 0;
    TokenType type = TokenType::kLmv1;
    std::string secret;
    std::string note;
    TokenStatus status = TokenStatus::kEnabled;
    std::int64_t last_used_on = 0;
  };

  static std::string AccessId(std::int32_t id) { return fmt::format("accessId{:012}", id); }

  // What happens to requests by their place in the order of arrival, from 1. With `from_then_on`, to all later ones
  // too.
  void FailAt(int request, Fault fault, bool from_then_on = false) {
    const MutexLock lock(mutex_);
    fault_at_ = request;
    fault_ = fault;
    fault_stays_ = from_then_on;
  }
  // What the portal answers every request with, whatever it is; 0 ends that.
  void AnswerAll(int status, std::string body = "{}") {
    const MutexLock lock(mutex_);
    fixed_status_ = status;
    fixed_body_ = std::move(body);
  }
  // From now on only keys of enabled tokens of its own are taken (by the access id or the Bearer value), and a use sets
  // `lastUsedOn`; what comes with another one gets 401, whatever it is. `clock` is the portal's, and must outlive it.
  void CheckKeys(const Clock& clock) {
    const MutexLock lock(mutex_);
    clock_ = &clock;
  }
  // Keys of tokens that are not taken, though they are enabled.
  void RefuseKeysFrom(std::int32_t id) {
    const MutexLock lock(mutex_);
    refused_from_ = id;
  }
  // Asked for each request: the fault that it meets, if any, in the place of FailAt.
  void FailWith(std::function<Fault()> faults) {
    const MutexLock lock(mutex_);
    faults_ = std::move(faults);
  }
  // As somebody would in the portal's own pages.
  void Change(std::int32_t id, const std::function<void(Row&)>& change) {
    const MutexLock lock(mutex_);
    change(tokens_.at(id));
  }
  int refusals() const {
    const MutexLock lock(mutex_);
    return refusals_;
  }

  // Called before each request is served, with its "GET /santaba/rest/…" line.
  void OnRequest(std::function<void(const std::string&)> hook) { hook_ = std::move(hook); }
  void SetPageSize(int rows) { most_rows_ = rows; }

  std::int32_t AddToken(Row row) {
    const MutexLock lock(mutex_);
    return Add(std::move(row));
  }
  void RemoveToken(std::int32_t id) {
    const MutexLock lock(mutex_);
    tokens_.erase(id);
  }
  std::vector<Row> tokens() const {
    std::vector<Row> rows;
    const MutexLock lock(mutex_);
    for (const auto& [id, row] : tokens_) rows.push_back(row);
    return rows;
  }
  // "METHOD target body" of each request that reached the client.
  std::vector<std::string> requests() const {
    const MutexLock lock(mutex_);
    return requests_;
  }
  int CountOf(std::string_view method) const {
    int count = 0;
    for (const std::string& line : requests()) count += line.starts_with(method) ? 1 : 0;
    return count;
  }

  void Send(http::OutgoingRequest request, http::SendOptions options, Done done) override {
    const std::string line = fmt::format("{} {} {}", http::MethodName(request.request().method()),
                                         request.request().Target(), request.request().body());
    if (hook_) hook_(line);
    if (options.cancelled.stop_requested()) return done({.response = Cancelled()});
    done(Serve(request, line));
  }

 private:
  using json = nlohmann::json;

  http::TransferResult Serve(const http::OutgoingRequest& outgoing, const std::string& line) {
    const MutexLock lock(mutex_);
    const http::CanonicalRequest& request = outgoing.request();
    if (clock_ != nullptr) user_ = UserOf(outgoing.authorization().Reveal());
    requests_.push_back(line);
    const int number = static_cast<int>(requests_.size());
    const bool faulty = number == fault_at_ || (fault_stays_ && number > fault_at_);
    const Fault fault = faults_ ? faults_() : (faulty ? fault_ : Fault::kNone);
    const auto lost = [](Reason reason, http::Delivery delivery) {
      return http::TransferResult{.response = Refuse(reason, "The test broke the connection."), .delivery = delivery};
    };
    switch (fault) {
      case Fault::kNone:
        break;
      case Fault::kNotSent:
        return lost(Reason::kPortalUnreachable, http::Delivery::kNotSent);
      case Fault::kUnheard:
        return lost(Reason::kPortalUnreachable, http::Delivery::kMaybeSent);
      case Fault::kTimeout:
        return lost(Reason::kDeadline, http::Delivery::kMaybeSent);
      case Fault::kAnswerLost:
        Answer(request);
        return lost(Reason::kPortalUnreachable, http::Delivery::kMaybeSent);
      case Fault::kFails:
        return Reply(500, Problem(1500, "internal"));
      case Fault::kFailsLate:
        Answer(request);
        return Reply(500, Problem(1500, "internal"));
      case Fault::kBadGateway:
        return Reply(502, "<html>bad gateway</html>");
      case Fault::kGarbage:
        Answer(request);
        return Reply(200, "<html>welcome</html>");
    }
    return fixed_status_ != 0 ? Reply(fixed_status_, fixed_body_) : Answer(request);
  }

  // The token whose key it is.
  std::int32_t UserOf(std::string_view authorization) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const auto& [id, row] : tokens_) {
      const std::string own =
          row.type == TokenType::kBearer ? "Bearer " + row.secret : fmt::format("LMv1 {}:", AccessId(id));
      if (authorization.substr(0, own.size()) == own) return id;
    }
    return 0;
  }
  bool IsTaken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = tokens_.find(user_);
    if (found == tokens_.end() || found->second.status == TokenStatus::kDisabled || user_ >= refused_from_) {
      ++refusals_;
      return false;
    }
    found->second.last_used_on = absl::ToUnixSeconds(clock_->Now());
    return true;
  }

  http::TransferResult Reply(int status, std::string body) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::string date = clock_ == nullptr
                                 ? "Tue, 14 Nov 2023 22:14:20 GMT"
                                 : absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", clock_->Now(), absl::UTCTimeZone());
    return {.response = http::Response{.status = status,
                                       .headers = {{"Content-Type", "application/json"},
                                                   {"X-Rate-Limit-Limit", "500"},
                                                   {"X-Rate-Limit-Remaining", "499"},
                                                   {"X-Rate-Limit-Window", "60"},
                                                   {"Date", date}},
                                       .body = std::move(body)},
            .delivery = http::Delivery::kMaybeSent};
  }
  static std::string Problem(int code, std::string_view message) {
    return json{{"errorMessage", std::string(message)}, {"errorCode", code}, {"errorDetail", nullptr}}.dump();
  }
  http::TransferResult NotFound() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return Reply(404, Problem(1404, "No such record"));
  }

  http::TransferResult Answer(const http::CanonicalRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (clock_ != nullptr && !IsTaken()) return Reply(401, Problem(1401, "Authentication failed"));
    const auto segments = request.path().segments();
    if (request.path().decoded() == "/device/devices") return Reply(200, R"({"total":1,"items":[{"id":1}]})");
    if (request.path().decoded() == "/setting/admins/apitokens") return List(request, std::nullopt);
    const std::int32_t admin = Number(segments[2]);
    if (admin != 32 && admin != 33) return NotFound();
    if (segments.size() == 4 && request.method() == http::Method::kGet) return List(request, admin);
    if (segments.size() == 4) return Create(request, admin);
    const auto found = tokens_.find(Number(segments[4]));
    if (found == tokens_.end() || found->second.admin != admin) return NotFound();
    if (request.method() == http::Method::kDelete) {
      tokens_.erase(found);
      return Reply(200, "{}");
    }
    const json change = json::parse(request.body());
    if (change.contains("note")) found->second.note = change["note"];
    if (change.contains("status")) found->second.status = static_cast<TokenStatus>(change["status"].get<int>());
    return Reply(200, Shown(found->second).dump());
  }

  http::TransferResult Create(const http::CanonicalRequest& request, std::int32_t admin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const json wanted = json::parse(request.body());
    const bool bearer = Value(request, "type") == "bearer";
    const std::int32_t id = Add({.admin = admin,
                                 .type = bearer ? TokenType::kBearer : TokenType::kLmv1,
                                 .note = wanted["note"],
                                 .status = static_cast<TokenStatus>(wanted["status"].get<int>())});
    Row& row = tokens_.at(id);
    row.secret = fmt::format("{}_Secret(Of){{Token}}{}+^~{:030}", bearer ? "lmb" : "lma", id, id);
    json shown = Shown(row);
    shown["accessKey"] = row.secret;
    return Reply(200, shown.dump());
  }

  http::TransferResult List(const http::CanonicalRequest& request, std::optional<std::int32_t> admin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const TokenType type = Value(request, "type") == "bearer" ? TokenType::kBearer : TokenType::kLmv1;
    const std::string filter = Value(request, "filter");
    std::vector<json> rows;
    for (const auto& [id, row] : tokens_) {
      if (row.type != type || (admin.has_value() && row.admin != *admin)) continue;
      if (!filter.empty() && filter != fmt::format("id:{}", id)) continue;
      rows.push_back(Shown(row));
    }
    const std::size_t offset = static_cast<std::size_t>(Number(Value(request, "offset")));
    const std::size_t size = static_cast<std::size_t>(std::min(most_rows_, Number(Value(request, "size"))));
    json items = json::array();
    for (std::size_t i = offset; i < std::min(rows.size(), offset + size); ++i) items.push_back(rows[i]);
    return Reply(200, json{{"total", rows.size()}, {"searchId", nullptr}, {"items", items}}.dump());
  }

  std::int32_t Add(Row row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (row.id == 0) row.id = next_id_++;
    const std::int32_t id = row.id;
    tokens_.insert_or_assign(id, std::move(row));
    return id;
  }

  static json Shown(const Row& row) {
    return {{"id", row.id},
            {"accessId", AccessId(row.id)},
            {"adminId", row.admin},
            {"adminName", fmt::format("user-{}", row.admin)},
            {"roles", {"readonly"}},
            {"status", static_cast<int>(row.status)},
            {"note", row.note},
            {"createdOn", 1'700'000'000},
            {"createdBy", "root-api"},
            {"lastUsedOn", row.last_used_on}};
  }
  static std::int32_t Number(std::string_view text) {
    std::int32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  static std::string Value(const http::CanonicalRequest& request, std::string_view name) {
    for (const http::NameValue& pair : request.query().pairs()) {
      if (pair.name == name) return pair.value;
    }
    return "";
  }

  std::function<void(const std::string&)> hook_;
  int most_rows_ = 1000;
  mutable Mutex mutex_;
  int fault_at_ ABSL_GUARDED_BY(mutex_) = 0;
  Fault fault_ ABSL_GUARDED_BY(mutex_) = Fault::kNone;
  bool fault_stays_ ABSL_GUARDED_BY(mutex_) = false;
  int fixed_status_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string fixed_body_ ABSL_GUARDED_BY(mutex_);
  const Clock* clock_ ABSL_GUARDED_BY(mutex_) = nullptr;  // null: any key is taken
  std::function<Fault()> faults_ ABSL_GUARDED_BY(mutex_);
  std::int32_t user_ ABSL_GUARDED_BY(mutex_) = 0;  // whose key the request has
  std::int32_t refused_from_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<std::int32_t>::max();
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int32_t next_id_ ABSL_GUARDED_BY(mutex_) = 41;
  std::map<std::int32_t, Row> tokens_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker
