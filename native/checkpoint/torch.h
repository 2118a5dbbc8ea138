// pytorch_model.bin: what torch.save makes of a state dict, in its two forms.
//
//   zip, since torch 1.6:   <prefix>/data.pkl, the pickled state dict, and <prefix>/data/<key>, a storage each
//   legacy:                 five pickles (magic number, 1001, about the system, the state dict, the list of the storages'
//                           keys), then each storage in the list's order: u64 number of elements | elements
//
// Source: torch/serialization.py. The form follows from the first bytes, never from the name, and nothing is
// tried a second way. Untrusted: see pickle.h and zip.h; a storage has exactly the bytes that its description
// needs.
#pragma once

#include <vector>

#include "base/byte_source.h"
#include "base/file.h"
#include "checkpoint/stored_tensor.h"

namespace neox {

// The tensors of a state dict in its order; of {"state_dict": {...}} or {"model": {...}}, those of the inner
// one. A tensor of rows that are not one after the other (a saved transpose) is there with is_contiguous
// false. Tensors may share bytes. Entries that are no tensors are passed over. ERR_NEOX_FORMAT_MAGIC for
// another kind of file, ERR_NEOX_UNSUPPORTED for TorchScript and for tar, a format code for what contradicts
// itself.
std::vector<StoredTensor> parse_torch(const ByteSource& source);

// The same of a file; messages begin with its path.
std::vector<StoredTensor> read_torch(const File& file);

}  // namespace neox
