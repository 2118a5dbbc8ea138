# neox_test and neox_bench. They link the core directly, so they also run where there is no Node.
add_custom_target(neox_programs)

function(neox_test_program name)
  add_executable(${name} EXCLUDE_FROM_ALL ${ARGN})
  neox_own_code(${name})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/test/native)
  # $<0:> keeps generators with several configurations from adding a folder per configuration.
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin$<0:>")
endfunction()

function(neox_program name)
  neox_test_program(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE neox_core)
  add_dependencies(neox_programs ${name})
endfunction()

neox_program(neox_test ${NEOX_TEST_SOURCES})
# The kernels with their tests and nothing else, for machines on which a compiler is far away or everything runs slowly
# (scripts/check_processors.mjs); no part of neox_programs.
set(NEOX_KERNEL_SOURCES ${NEOX_CORE_SOURCES} ${NEOX_TEST_SOURCES})
list(FILTER NEOX_KERNEL_SOURCES INCLUDE REGEX
  "^native/(base|tensor|quant|kernels)/|^test/native/(main|break_kernel|kernels_.*|quantize_rows_test)\\.cpp$")
neox_test_program(neox_kernel_test ${NEOX_KERNEL_SOURCES})
target_link_libraries(neox_kernel_test PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
# The engine and the binding's channel between environments in miniature, for the sanitizers (scripts/storms.mjs --tsan); no
# part of neox_programs.
set(NEOX_ENGINE_SOURCES ${NEOX_CORE_SOURCES})
list(FILTER NEOX_ENGINE_SOURCES INCLUDE REGEX "^native/(base|engine)/|^native/model/(kv_pool|backend)")
neox_test_program(neox_engine_storm test/storms/native/engine_storm.cpp native/binding/channel.cpp ${NEOX_ENGINE_SOURCES})
target_include_directories(neox_engine_storm SYSTEM PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/test/storms/native/fake_napi)
target_compile_definitions(neox_engine_storm PRIVATE NODE_ADDON_API_CPP_EXCEPTIONS_ALL)
target_link_libraries(neox_engine_storm PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
if(UNIX)
  # What the addon's tests load in place of a GPU's library.
  add_library(neox_stand_in_device MODULE EXCLUDE_FROM_ALL test/devices/stand_in.cpp)
  neox_own_code(neox_stand_in_device)
  target_compile_definitions(neox_stand_in_device PRIVATE NEOX_VERSION="${PROJECT_VERSION}")
  target_link_libraries(neox_stand_in_device PRIVATE neox_core)
  set_target_properties(neox_stand_in_device PROPERTIES PREFIX "" OUTPUT_NAME stand_in_device SUFFIX .so
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin$<0:>")
  add_dependencies(neox_programs neox_stand_in_device)
endif()
set(NEOX_FIXTURE_SOURCES test/native/fixtures.cpp)
set_source_files_properties(${NEOX_FIXTURE_SOURCES} PROPERTIES
  COMPILE_DEFINITIONS NEOX_FIXTURES="${CMAKE_CURRENT_SOURCE_DIR}/test/fixtures")
if(NOT MSVC)
  # They compile often and run for seconds; where they only have to compile, there is no Release.
  target_compile_options(neox_test PRIVATE $<$<CONFIG:Release>:-O1>)
endif()
if(TARGET neox_tokenizer)
  target_sources(neox_test PRIVATE ${NEOX_TOKENIZER_TEST_SOURCES})
  target_link_libraries(neox_test PRIVATE neox_tokenizer)
endif()

if(NEOX_BENCH_SOURCES)
  neox_program(neox_bench ${NEOX_BENCH_SOURCES})
  target_link_libraries(neox_bench PRIVATE ${CMAKE_DL_LIBS})
  target_compile_definitions(neox_bench PRIVATE NEOX_VERSION="${PROJECT_VERSION}")
endif()
