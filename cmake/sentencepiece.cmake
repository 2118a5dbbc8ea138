# sentencepiece 0.2.1 as a static library with its bundled absl and protobuf-lite: no tools, no tcmalloc.
# CACHE ... FORCE because the subproject asks for old policies under which a plain set() is ignored.
set(SPM_ENABLE_SHARED OFF CACHE BOOL "" FORCE)
set(SPM_ENABLE_TCMALLOC OFF CACHE BOOL "" FORCE)
set(SPM_BUILD_TEST OFF CACHE BOOL "" FORCE)

include(${CMAKE_CURRENT_LIST_DIR}/sentencepiece-headers.cmake)
set(CMAKE_PROJECT_sentencepiece_INCLUDE ${CMAKE_CURRENT_LIST_DIR}/sentencepiece-project.cmake)
add_subdirectory(${NEOX_SP_SOURCE} ${CMAKE_BINARY_DIR}/sentencepiece EXCLUDE_FROM_ALL)
if(NOT MSVC)
  target_compile_options(sentencepiece-static PRIVATE -w)
endif()

neox_sentencepiece_library(sentencepiece-static ${CMAKE_BINARY_DIR}/sentencepiece)
