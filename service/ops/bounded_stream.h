#pragma once

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace lmbroker::ops {

// One connection as httplib sees it, with the two bounds that httplib lacks: a time by which all must be over, however
// slowly the peer speaks, and a number of bytes that it may send. Beyond either, reads and writes fail.
class BoundedStream final : public httplib::Stream {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `socket` is non-blocking and outlives this.
  BoundedStream(int socket, TimePoint deadline, std::size_t most_bytes_in)
      : socket_(socket), deadline_(deadline), bytes_left_(most_bytes_in) {}

  bool is_readable() const override { return Await(/*to_read=*/true); }
  bool is_writable() const override { return Await(/*to_read=*/false); }
  ssize_t read(char* data, std::size_t size) override;
  ssize_t write(const char* data, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  int socket() const override { return socket_; }

 private:
  bool Await(bool to_read) const;

  const int socket_;
  const TimePoint deadline_;
  std::size_t bytes_left_;
};

}  // namespace lmbroker::ops
