// Between the core's exceptions and JavaScript's: every function that JavaScript calls runs inside guard().
#pragma once

#include <exception>
#include <new>

#include "base/error.h"
#include "binding/napi_setup.h"

namespace neox {

// A JavaScript Error with the code's stable name as `.code`.
inline Napi::Error to_js_error(Napi::Env env, const Error& error) {
    Napi::Error js = Napi::Error::New(env, error.what());
    js.Value().Set("code", error_code_name(error.code()));
    return js;
}

// What the exception that is being handled says, as one of the core's errors.
inline Error current_error() {
    try {
        throw;
    } catch (const Error& error) {
        return error;
    } catch (const std::bad_alloc&) {
        return Error(ErrorCode::out_of_memory, "Out of memory.");
    } catch (const std::exception& error) {
        return Error(ErrorCode::internal, error.what());
    } catch (...) {
        return Error(ErrorCode::internal, "Unknown exception.");
    }
}

// Runs fn(); whatever it throws leaves as a JavaScript error with a code. JavaScript's own errors pass unchanged.
template <class F> auto guard(Napi::Env env, F&& fn) -> decltype(fn()) {
    try {
        return fn();
    } catch (const Napi::Error&) {
        throw;
    } catch (...) {
        throw to_js_error(env, current_error());
    }
}

}  // namespace neox
