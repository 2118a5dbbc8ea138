# neox.node: the Node-API addon. Nothing but the two entry points of Node-API is exported from it.
include(CheckLinkerFlag)

if(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
  execute_process(
    COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS}
    COMMAND_ERROR_IS_FATAL ANY)
endif()

add_library(neox MODULE ${NEOX_BINDING_SOURCES} ${CMAKE_JS_SRC})
neox_own_code(neox)
set_target_properties(neox PROPERTIES
  PREFIX ""
  SUFFIX ".node"
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/Release
  LIBRARY_OUTPUT_DIRECTORY_RELEASE ${CMAKE_BINARY_DIR}/Release)
target_include_directories(neox SYSTEM PRIVATE ${CMAKE_JS_INC})
target_compile_definitions(neox PRIVATE
  NAPI_VERSION=8
  NODE_ADDON_API_CPP_EXCEPTIONS_ALL
  NODE_ADDON_API_DISABLE_DEPRECATED
  NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS
  NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED
  NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
  NEOX_VERSION="${PROJECT_VERSION}")
target_link_libraries(neox PRIVATE neox_core neox_tokenizer ${CMAKE_JS_LIB})

if(NEOX_ZIG)
  target_precompile_headers(neox PRIVATE ${NEOX_COMMON_HEADERS} native/binding/napi_setup.h)
  set_source_files_properties(native/binding/node_windows.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endif()

# Where there is no import library for Node's functions, the addon finds them itself: native/binding/node_windows.cpp.
set(NEOX_NODE_API_FUNCTIONS "" CACHE FILEPATH "A file with a line NEOX_FUNCTION(name) for each function of Node-API")
if(NEOX_NODE_API_FUNCTIONS)
  set_source_files_properties(native/binding/node_windows.cpp PROPERTIES
    COMPILE_DEFINITIONS NEOX_NODE_API_FUNCTIONS="${NEOX_NODE_API_FUNCTIONS}")
endif()

if(APPLE)
  target_link_options(neox PRIVATE -undefined dynamic_lookup)
  if(NEOX_ZIG)
    # zig's linker makes an empty file of what it is to make a bundle of. Node loads either kind.
    set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS "-dynamiclib -install_name @rpath/neox.node")
  else()
    target_link_options(neox PRIVATE -Wl,-exported_symbol,_napi_register_module_v1
      -Wl,-exported_symbol,_node_api_module_get_api_version_v1 -Wl,-dead_strip)
  endif()
elseif(UNIX)
  if(NOT NEOX_SANITIZE)
    target_link_options(neox PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  # nodelete: threads of ours may still run while Node unloads addons.
  target_link_options(neox PRIVATE -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic -Wl,--gc-sections
    -Wl,--as-needed "-Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/exports.map")
  set_target_properties(neox PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/exports.map)
  check_linker_flag(CXX "-Wl,--exclude-libs,ALL" NEOX_HAS_EXCLUDE_LIBS)
  if(NEOX_HAS_EXCLUDE_LIBS)
    target_link_options(neox PRIVATE -Wl,--exclude-libs,ALL)
  endif()
endif()
