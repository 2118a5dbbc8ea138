# The CUDA half. Its sources compile as CUDA, and as C++ with the emulation of native/cuda/host beside them, in which every kernel
# runs on the CPU; see native/cuda/README.md.
set(NEOX_CUDA_SOURCES
  native/cuda/attention.cpp
  native/cuda/attention_prompt.cu
  native/cuda/attention_step.cu
  native/cuda/backend.cpp
  native/cuda/cuda_device.cpp
  native/cuda/embed_rows.cu
  native/cuda/forward.cpp
  native/cuda/graphs.cpp
  native/cuda/head.cu
  native/cuda/kv.cu
  native/cuda/matmul.cu
  native/cuda/matmul_128.cu
  native/cuda/matmul_16.cu
  native/cuda/matmul_64.cu
  native/cuda/matmul_exact.cu
  native/cuda/matvec.cu
  native/cuda/matvec_k.cu
  native/cuda/matvec_plain.cu
  native/cuda/matvec_small.cu
  native/cuda/norm.cu
  native/cuda/outputs.cpp
  native/cuda/pass.cpp
  native/cuda/plan.cpp
  native/cuda/planes.cpp
  native/cuda/project.cpp
  native/cuda/rope.cu
  native/cuda/row_moves.cu
  native/cuda/split_planes.cu
  native/cuda/uploader.cpp
  native/cuda/weights.cpp
)
# What a library has beside them: its one exported function.
set(NEOX_CUDA_LIBRARY_SOURCES
  native/cuda/library.cpp
)
set(NEOX_CUDA_HOST_SOURCES
  native/cuda/host/block.cpp
  native/cuda/host/runtime.cpp
)
set(NEOX_CUDA_GPU_SOURCES
  native/cuda/runtime.cu
)
set(NEOX_CUDA_TEST_SOURCES
  test/cuda/attention_test.cpp
  test/cuda/backend_test.cpp
  test/cuda/device_test.cu
  test/cuda/formats_test.cu
  test/cuda/forward_test.cpp
  test/cuda/graphs_test.cpp
  test/cuda/head_test.cpp
  test/cuda/kv_test.cpp
  test/cuda/main.cpp
  test/cuda/matmul_exact_test.cpp
  test/cuda/matmul_test.cpp
  test/cuda/matvec_test.cpp
  test/cuda/norm_test.cpp
  test/cuda/plan_test.cpp
  test/cuda/rope_test.cpp
  test/cuda/runtime_test.cu
  test/cuda/split_test.cpp
  test/cuda/weights_test.cpp
)

# A library that nothing but native/model/device_interface.h is seen of.
function(neox_device_library target)
  target_compile_definitions(${target} PRIVATE NEOX_VERSION="${PROJECT_VERSION}")
  set_target_properties(${target} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin$<0:>" RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin$<0:>")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    if(NOT NEOX_SANITIZE)
      target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -Wl,-z,defs)
    endif()
    set(exports ${CMAKE_SOURCE_DIR}/cmake/device_exports.map)
    target_link_options(${target} PRIVATE -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic -Wl,--gc-sections
      -Wl,--as-needed -Wl,--exclude-libs,ALL "-Wl,--version-script=${exports}")
    set_target_properties(${target} PROPERTIES LINK_DEPENDS ${exports})
  endif()
endfunction()

# The little of the core that such a library needs, so that it compiles by itself.
set(NEOX_DEVICE_CORE_SOURCES ${NEOX_CORE_SOURCES})
list(FILTER NEOX_DEVICE_CORE_SOURCES INCLUDE REGEX "^native/(base|tensor|quant)/|^native/model/(backend|rope_table)\\.cpp$")
add_library(neox_device_core STATIC EXCLUDE_FROM_ALL ${NEOX_DEVICE_CORE_SOURCES})
neox_own_code(neox_device_core)
target_link_libraries(neox_device_core PUBLIC Threads::Threads)

option(NEOX_CUDA "Build the device library with nvcc (native/cuda/CMakeLists.txt)" OFF)
if(NEOX_CUDA)
  add_subdirectory(native/cuda)
endif()

# Fibers by ucontext, and memory closed by mprotect: Linux alone, as no other system than it and Windows has CUDA.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NEOX_TESTS)
  set(cuda_files ${NEOX_CUDA_SOURCES} ${NEOX_CUDA_TEST_SOURCES})
  list(FILTER cuda_files INCLUDE REGEX "\\.cu$")
  set_source_files_properties(${cuda_files} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++")
  add_library(neox_cuda_emulated STATIC EXCLUDE_FROM_ALL ${NEOX_CUDA_SOURCES} ${NEOX_CUDA_HOST_SOURCES})
  neox_own_code(neox_cuda_emulated)
  # PUBLIC: tests launch kernels of their own.
  target_compile_definitions(neox_cuda_emulated PUBLIC NEOX_CUDA_EMULATED)
  target_link_libraries(neox_cuda_emulated PUBLIC neox_core)
  neox_program(neox_cuda_test ${NEOX_CUDA_TEST_SOURCES})
  target_link_libraries(neox_cuda_test PRIVATE neox_cuda_emulated)
  target_compile_options(neox_cuda_test PRIVATE $<$<CONFIG:Release>:-O1>)
  target_sources(neox_cuda_test PRIVATE ${NEOX_FIXTURE_SOURCES})

  # The same interface and the same kernels without a GPU, for the tests of whoever loads such a library.
  add_library(neox_cuda_emulated_library SHARED EXCLUDE_FROM_ALL ${NEOX_CUDA_LIBRARY_SOURCES})
  set_target_properties(neox_cuda_emulated_library PROPERTIES OUTPUT_NAME neox_cuda_emulated)
  neox_own_code(neox_cuda_emulated_library)
  neox_device_library(neox_cuda_emulated_library)
  target_link_libraries(neox_cuda_emulated_library PRIVATE neox_cuda_emulated)
  add_dependencies(neox_programs neox_cuda_emulated_library)
endif()
