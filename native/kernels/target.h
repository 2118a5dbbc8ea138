// Compiling code for one instruction set without compiler flags: everything between NEOX_TARGET_BEGIN and
// NEOX_TARGET_END may use it. Inside such a region stand only definitions of our own in a namespace of that
// instruction set: a standard template instantiated there could be shared by the linker with code that runs
// on older processors.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#define NEOX_X86_64 1
#else
#define NEOX_X86_64 0
#endif
#if defined(__aarch64__) || defined(_M_ARM64)
#define NEOX_AARCH64 1
#else
#define NEOX_AARCH64 0
#endif
// Whether SDOT and USDOT can be had in a target region: a Clang of before version 16 (Apple's 15) has their intrinsics only
// where the whole file is compiled for them.
#if !NEOX_AARCH64
#define NEOX_AARCH64_DOT 0
#elif defined(__apple_build_version__)
#define NEOX_AARCH64_DOT (__clang_major__ >= 15)
#elif defined(__clang__)
#define NEOX_AARCH64_DOT (__clang_major__ >= 16)
#else
#define NEOX_AARCH64_DOT 1
#endif

#define NEOX_PRAGMA(text) _Pragma(#text)

#if defined(_MSC_VER) && !defined(__clang__)
#define NEOX_TARGET_BEGIN(isa)
#define NEOX_TARGET_END
#define NEOX_INLINE __forceinline
#define NEOX_UNROLL
#elif defined(__clang__)
#define NEOX_TARGET_BEGIN(isa)                                                                               \
    NEOX_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define NEOX_TARGET_END NEOX_PRAGMA(clang attribute pop)
#define NEOX_INLINE inline __attribute__((always_inline))
#define NEOX_UNROLL NEOX_PRAGMA(clang loop unroll(full))
#else
#define NEOX_TARGET_BEGIN(isa) NEOX_PRAGMA(GCC push_options) NEOX_PRAGMA(GCC target(isa))
#define NEOX_TARGET_END NEOX_PRAGMA(GCC pop_options)
#define NEOX_INLINE inline __attribute__((always_inline))
#define NEOX_UNROLL NEOX_PRAGMA(GCC unroll 16)
#endif
