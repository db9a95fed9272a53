#include "service/portal/endpoint.h"

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

TEST(EndpointTest, NumbersInPathsFold) {
  EXPECT_EQ(EndpointPattern("/device/devices/7/instances/a1"), "/device/devices/{id}/instances/a1");
  EXPECT_EQ(EndpointPattern("/device/devices"), "/device/devices");
  EXPECT_EQ(EndpointPattern("/1"), "/{id}");
}

// A look-up must find what the pattern would, without writing it out.
TEST(EndpointTest, PathsOfOnePatternAreOneEndpoint) {
  const Endpoint device{.path = "/device/devices/7"};
  for (const std::string_view path : {"/device/devices/8", "/device/devices/123456", "/device/devices/{id}"}) {
    EXPECT_TRUE(device.IsSame({.path = path})) << path;
    EXPECT_EQ(device.Hash(), Endpoint{.path = path}.Hash()) << path;
  }
  for (const std::string_view path : {"/device/devices", "/device/devices/7/x", "/device/devices/x7", "/device/7/7"}) {
    EXPECT_FALSE(device.IsSame({.path = path})) << path;
    EXPECT_NE(device.Hash(), Endpoint{.path = path}.Hash()) << path;
  }
}

TEST(EndpointTest, ApiAndMethodCountApart) {
  const Endpoint get{.path = "/log/ingest"};
  for (const Endpoint& other : {Endpoint{.api = http::Api::kIngest, .path = get.path},
                                Endpoint{.method = http::Method::kPost, .path = get.path}}) {
    EXPECT_FALSE(get.IsSame(other));
    EXPECT_NE(get.Hash(), other.Hash());
  }
}

}  // namespace
}  // namespace lmbroker::portal
