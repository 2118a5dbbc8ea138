# neox_sentencepiece: a library of sentencepiece 0.2.1 with its public and its own headers, which include each other from several
# folders and from where its config.h was configured, and with the definitions that the library itself is built with.
function(neox_sentencepiece_library library config_folder)
  add_library(neox_sentencepiece INTERFACE)
  target_include_directories(neox_sentencepiece SYSTEM INTERFACE
    ${NEOX_SP_SOURCE}/src ${NEOX_SP_SOURCE}/src/builtin_pb ${NEOX_SP_SOURCE} ${NEOX_SP_SOURCE}/third_party
    ${NEOX_SP_SOURCE}/third_party/protobuf-lite ${config_folder})
  target_compile_definitions(neox_sentencepiece INTERFACE HAVE_PTHREAD=1 _USE_INTERNAL_STRING_VIEW)
  target_link_libraries(neox_sentencepiece INTERFACE ${library})
endfunction()
