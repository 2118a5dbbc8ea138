# The fuzz targets: a program fuzz_<parser> for each test/fuzz/<parser>_fuzz.cpp, with AddressSanitizer and
# UndefinedBehaviorSanitizer. NEOX_FUZZ says what runs them: `driver` (test/fuzz/driver.cpp, any compiler) or `libfuzzer`
# (clang). They link the parsers alone, compiled for this purpose:
#   cmake -S . -B .cache/fuzz/build -DNEOX_FUZZ=driver && cmake --build .cache/fuzz/build --target neox_fuzzers
set(NEOX_FUZZ_PARSERS gguf safetensors json config_json index_json zip pickle torch imatrix session tokenizer_json spiece charsmap)

set(NEOX_PARSER_SOURCES ${NEOX_CORE_SOURCES})
list(FILTER NEOX_PARSER_SOURCES INCLUDE REGEX
  "^native/(base|tensor|gguf|checkpoint)/|^native/model/(config|file_type|foreign_tokenizer|gguf_source|hf_|imatrix|source|model_text|text_|type_mix)|^native/engine/session_file")

set(NEOX_FUZZ_FLAGS -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
  -O1 -g1 -D_GLIBCXX_ASSERTIONS)
if(NEOX_FUZZ STREQUAL "libfuzzer")
  set(NEOX_FUZZ_COVERAGE -fsanitize=fuzzer-no-link)
  set(NEOX_FUZZ_MAIN -fsanitize=fuzzer)
else()
  set(NEOX_FUZZ_COVERAGE "")
  set(NEOX_FUZZ_MAIN "")
endif()
add_compile_options(${NEOX_FUZZ_FLAGS} ${NEOX_FUZZ_COVERAGE})
add_link_options(-fsanitize=address,undefined,float-cast-overflow)

add_library(neox_parsers STATIC ${NEOX_PARSER_SOURCES} test/fuzz/fuzz.cpp)
if(NOT NEOX_FUZZ STREQUAL "libfuzzer")
  target_sources(neox_parsers PRIVATE test/fuzz/driver.cpp test/fuzz/mutate.cpp)
endif()
neox_own_code(neox_parsers)
target_link_libraries(neox_parsers PUBLIC Threads::Threads)

# NEOX_SP_LIBRARY, a libsentencepiece.a that exists already, saves compiling the library anew: it then runs without the
# sanitizers' checks of its own memory accesses, and a crash or a bad free in it is still seen.
set(NEOX_SP_LIBRARY "" CACHE FILEPATH "libsentencepiece.a to link instead of compiling NEOX_SP_SOURCE")
if(NEOX_SP_SOURCE)
  if(NEOX_SP_LIBRARY)
    include(cmake/sentencepiece-headers.cmake)
    cmake_path(GET NEOX_SP_LIBRARY PARENT_PATH folder)
    cmake_path(GET folder PARENT_PATH folder)
    neox_sentencepiece_library(${NEOX_SP_LIBRARY} ${folder})
  else()
    include(cmake/sentencepiece.cmake)
  endif()
  list(APPEND NEOX_FUZZ_PARSERS tokenizer)
endif()

add_custom_target(neox_fuzzers)
foreach(parser IN LISTS NEOX_FUZZ_PARSERS)
  add_executable(fuzz_${parser} test/fuzz/${parser}_fuzz.cpp)
  neox_own_code(fuzz_${parser})
  target_link_libraries(fuzz_${parser} PRIVATE neox_parsers)
  target_link_options(fuzz_${parser} PRIVATE ${NEOX_FUZZ_MAIN})
  set_target_properties(fuzz_${parser} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  add_dependencies(neox_fuzzers fuzz_${parser})
endforeach()
if(NEOX_SP_SOURCE)
  target_sources(fuzz_tokenizer PRIVATE ${NEOX_TOKENIZER_SOURCES})
  target_link_libraries(fuzz_tokenizer PRIVATE neox_sentencepiece)
endif()
