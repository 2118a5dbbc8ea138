// One backend on the device: what forward() works on.
#pragma once

#include <memory>

#include "cuda/attention.h"
#include "cuda/graphs.h"
#include "cuda/kv.h"
#include "cuda/op_times.h"
#include "cuda/pass.h"
#include "cuda/plan.h"
#include "cuda/rope.h"
#include "cuda/runtime.h"
#include "cuda/weights.h"
#include "model/backend.h"
#include "model/batch.h"

namespace neox::cuda {

// The backend's working memory, in the sizes of scratch_sizes(). Columns beyond a row's own are zero from the beginning, and no
// kernel writes anything else there.
struct Scratch {
    Scratch(Stream& stream, const ScratchSizes& sizes);

    DeviceBuffer<float> x;    // [slots][n_embd] residual stream
    DeviceBuffer<float> mid;  // [slots][n_embd] residual stream after attention
    DeviceBuffer<float>
        norm;  // [slots][n_embd] output of a LayerNorm, where a product or somebody else needs it in f32
    DeviceBuffer<float> qkv;              // [slots][3 n_embd]
    DeviceBuffer<float> attn;             // [slots][n_embd] heads side by side
    DeviceBuffer<float> ffn;              // [slots][n_ff]
    DeviceBuffer<std::uint16_t> rounded;  // [slots] rows of a tensor product, with
    DeviceBuffer<float> row_scales;       // [slots]
    DeviceBuffer<float> partial;          // of products whose columns are cut, with
    DeviceBuffer<std::int32_t> tickets;
    DeviceBuffer<float> picked;  // [kHeadRows][n_embd] rows with outputs
    DeviceBuffer<float> logits;  // [kHeadRows][n_vocab]
    DeviceBuffer<std::byte> input;
};

// What outputs cross in; it grows with what rows ask for, and no estimate counts it.
struct OutputBuffers {
    PinnedBuffer<std::byte> asked, answered;
    DeviceBuffer<std::byte> device;  // both of them, and the search's own
    PinnedBuffer<float> hidden, logits;
};

struct CudaState {
    CudaState(const Weights& weights, const BackendOptions& options);

    const Weights& weights;
    const ModelWeights& model;
    const BackendOptions options;
    const DeviceFacts facts;
    Stream stream;
    KvCache kv;
    DeviceRope rope;
    StepScratch steps;
    Pass pass;
    AttentionPlan attention;  // of the pass
    Scratch scratch;
    GraphCache graphs;
    OpTimes times;
    Event layer_events[2];        // see run_layers()
    PinnedBuffer<float> carried;  // of a pass that leaves its residual streams to the host
    OutputBuffers outputs;
    DeviceBuffer<double> squares;  // of a pass that sums them up, which no estimate counts
};

}  // namespace neox::cuda
