"""Prints the path of the ggml library inside the package llama-cpp-python."""

import pathlib

import llama_cpp

NAMES = ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll")
folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
print(next(path for path in folder.iterdir() if path.name in NAMES))
