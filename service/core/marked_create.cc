#include "service/core/marked_create.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/token_listing.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

constexpr std::string_view kMarker = "lmbroker:";

}  // namespace

std::string NewMarker(Random& random) { return fmt::format("{}{}", kMarker, RandomUuid(random)); }

bool IsMarker(std::string_view note) { return note.starts_with(kMarker) && IsUuid(note.substr(kMarker.size())); }

absl::StatusOr<portal::LmCreatedToken> PostMarked(PortalSession session, http::CanonicalRequest request,
                                                  const AdminName& admin, TokenType type) {
  ASSIGN_OR_RETURN(http::Response reply,
                   session.Send(std::move(request), portal::Effect::kCreate, Reason::kUnknownAdmin));
  absl::StatusOr<portal::LmCreatedToken> created = portal::ParseCreatedToken(std::move(reply), type, admin.id());
  if (created.ok()) return created;
  return Refuse(Reason::kOutcomeUnknown, std::string(created.status().message()));
}

absl::StatusOr<int> DeleteMarked(PortalSession& session, const AdminName& admin, TokenType type,
                                 std::string_view marker) {
  ASSIGN_OR_RETURN(const std::vector<portal::LmToken> tokens, ReadTokens(session, {.admin = admin.id(), .type = type}));
  int deleted = 0;
  for (const portal::LmToken& token : tokens) {
    if (token.note != marker) continue;
    RETURN_IF_ERROR(DeleteAtPortal(session, TokenName(admin, token.id)));
    ++deleted;
  }
  return deleted;
}

absl::Status DeleteAtPortal(PortalSession& session, const TokenName& name) {
  ASSIGN_OR_RETURN(http::CanonicalRequest request, portal::DeleteToken(name.admin().id(), name.id()));
  const absl::Status status =
      session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownToken).status();
  return IsRefusal(status, Reason::kUnknownToken) ? absl::OkStatus() : status;
}

bool HasEnded(const absl::Status& failure) {
  const auto metadata = MetadataOf(failure);
  const auto status = metadata.find("http_status");
  return status != metadata.end() && status->second != "502" && status->second != "504";
}

}  // namespace lmbroker::core
