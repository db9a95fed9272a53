#include "service/ops/readiness.h"

#include "service/base/json_object.h"

namespace lmbroker::ops {

Readiness Judge(const std::vector<Check>& checks) {
  Readiness readiness;
  std::string details;
  {
    JsonObject all(details);
    for (const Check& check : checks) {
      const CheckResult result = check.run();
      readiness.ready = readiness.ready && result.ready;
      JsonObject one(all.Object(check.name));
      one.Bool("ready", result.ready);
      if (!result.detail.empty()) one.Text("detail", result.detail);
    }
  }
  JsonObject answer(readiness.json);
  answer.Bool("ready", readiness.ready);
  answer.Object("checks") += details;
  return readiness;
}

}  // namespace lmbroker::ops
