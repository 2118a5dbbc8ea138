# Read by CMake right after sentencepiece's own project() line, in its scope. It puts this path unquoted into its
# compiler flags, where a space would end it; nothing else there reads it.
set(CMAKE_SOURCE_DIR sentencepiece)
