#pragma once

// Ownership of OpenSSL objects, and what to do with its errors.

#include <memory>
#include <string>
#include <string_view>

namespace lmbroker::crypto {

template <auto Free>
struct OpensslDeleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

// `using CipherContext = OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;`
template <class T, auto Free>
using OpensslPtr = std::unique_ptr<T, OpensslDeleter<Free>>;

// What this thread's OpenSSL error queue says, oldest first, "no details" when empty. Leaves the queue empty, so that
// the next failure is not explained by this one.
std::string TakeOpensslErrors();

// Ends the process when `ok` is false, naming the failed `call` and OpenSSL's errors on standard error. For calls that
// fail only without memory or without OpenSSL's default provider: nothing safe can follow. Never for a verdict on data.
void CheckOpenssl(bool ok, std::string_view call);

}  // namespace lmbroker::crypto
