#pragma once

#include <cstddef>

#include "service/base/https_service.h"

namespace lmbroker::identity {

// The API of a Kubernetes cluster. Its tokens are mounted so that the pod's group may read them. A reply may have as
// many keys as no cluster has, and not more: it is held in locked memory, which there is little of and the custody
// needs.
inline constexpr HttpsService::Kind kKubernetesApi = {.name = "the Kubernetes API",
                                                      .token_header = "Authorization: Bearer ",
                                                      .private_token = false,
                                                      .most_reply_bytes = std::size_t{64} << 10};

}  // namespace lmbroker::identity
