// The only includer of napi.h. Its defines are set for the whole target by cmake/addon.cmake, because node-addon-api's
// inline functions must be the same in every file.
#pragma once

#ifndef NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#error "The binding needs NODE_ADDON_API_CPP_EXCEPTIONS_ALL; build it with CMakeLists.txt."
#endif

#include <napi.h>
