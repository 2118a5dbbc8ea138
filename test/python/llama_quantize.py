"""Has llama.cpp quantize a GGUF file.

    llama_quantize.py SOURCE TARGET FILE_TYPE      FILE_TYPE: its number among llama_ftype
"""

import ctypes
import sys

import llama_cpp

source, target, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
llama_cpp.llama_backend_init()
silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(silence, ctypes.c_void_p())
params = llama_cpp.llama_model_quantize_default_params()
params.nthread = 1
params.ftype = number
if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) != 0:
    sys.exit(f"llama.cpp could not quantize {source}")
