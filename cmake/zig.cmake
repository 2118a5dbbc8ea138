# Cross compiler to every platform that the package carries a binary for: clang with each system's headers, as `zig c++`.
# scripts/prebuild.mjs obtains it and sets
#   NEOX_ZIG              the zig executable
#   NEOX_ZIG_TARGET       zig's name of the platform, for example aarch64-linux-gnu.2.28: the number is the oldest glibc
#   NEOX_ZIG_SYSTEM       Linux, Windows or Darwin
#   NEOX_ZIG_PROCESSOR    x86_64 or aarch64
#   NEOX_ZIG_TOOLS        folder with the programs ar, ranlib and rc, which CMake takes without arguments
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES
  NEOX_ZIG NEOX_ZIG_TARGET NEOX_ZIG_SYSTEM NEOX_ZIG_PROCESSOR NEOX_ZIG_TOOLS)
set(CMAKE_SYSTEM_NAME ${NEOX_ZIG_SYSTEM})
set(CMAKE_SYSTEM_PROCESSOR ${NEOX_ZIG_PROCESSOR})
set(CMAKE_C_COMPILER ${NEOX_ZIG} cc -target ${NEOX_ZIG_TARGET})
set(CMAKE_CXX_COMPILER ${NEOX_ZIG} c++ -target ${NEOX_ZIG_TARGET})
set(CMAKE_AR ${NEOX_ZIG_TOOLS}/ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${NEOX_ZIG_TOOLS}/ranlib CACHE FILEPATH "")
set(CMAKE_RC_COMPILER ${NEOX_ZIG_TOOLS}/rc)
# Stripped by the linker: what strips afterwards would break the signature of a Mach-O file.
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT -s)
endforeach()
# Nothing of this machine is linked.
get_filename_component(NEOX_ZIG_FOLDER ${NEOX_ZIG} DIRECTORY)
set(CMAKE_FIND_ROOT_PATH ${NEOX_ZIG_FOLDER}/lib)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
if(NEOX_ZIG_SYSTEM STREQUAL "Darwin")
  set(CMAKE_INSTALL_NAME_TOOL ${CMAKE_COMMAND} CACHE FILEPATH "") # CMake demands one; nothing is installed
endif()
