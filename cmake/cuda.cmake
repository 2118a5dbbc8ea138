# The CUDA half. Its sources compile as CUDA, and as C++ with the emulation of native/cuda/host beside them, in which every kernel
# runs on the CPU; see native/cuda/README.md.
set(NEOX_CUDA_SOURCES
  native/cuda/attention.cpp
  native/cuda/attention_prompt.cu
  native/cuda/attention_step.cu
  native/cuda/embed_rows.cu
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
  native/cuda/planes.cpp
  native/cuda/rope.cu
  native/cuda/split_planes.cu
  native/cuda/uploader.cpp
  native/cuda/weights.cpp
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
  test/cuda/device_test.cu
  test/cuda/formats_test.cu
  test/cuda/head_test.cpp
  test/cuda/kv_test.cpp
  test/cuda/main.cpp
  test/cuda/matmul_exact_test.cpp
  test/cuda/matmul_test.cpp
  test/cuda/matvec_test.cpp
  test/cuda/norm_test.cpp
  test/cuda/rope_test.cpp
  test/cuda/runtime_test.cu
  test/cuda/weights_test.cpp
)

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
endif()
