// cuda/runtime.h on CUDA's runtime, which is linked statically: all that a machine needs is the driver.
#include "cuda/runtime.h"

#include <atomic>
#include <mutex>
#include <unordered_map>

#include <cuda_runtime.h>

#include "base/error.h"
#include "cuda/device.cuh"

namespace neox::cuda {

namespace {

constexpr int kOldestMajor = 8;

std::atomic<bool> overlap_is_on{true};

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // an error that is told does not come again with the next call
    fail(error == cudaErrorMemoryAllocation ? ErrorCode::out_of_memory : ErrorCode::backend, what, ": ",
         cudaGetErrorName(error), " (", cudaGetErrorString(error), ")");
}

std::string version_text(int version) { return text("CUDA ", version / 1000, ".", version % 1000 / 10); }

// Any kernel of the library: what it was compiled for, all were.
NEOX_KERNEL void some_kernel(std::uint32_t* out) { *out = 1; }

void check_compiled_for(const cudaDeviceProp& properties) {
    cudaFuncAttributes attributes{};
    const cudaError_t found = cudaFuncGetAttributes(&attributes, some_kernel);
    if (found == cudaErrorNoKernelImageForDevice || found == cudaErrorInvalidDeviceFunction) {
        cudaGetLastError();
        fail(ErrorCode::backend, "The library was built for other GPUs than ", properties.name,
             ", which has compute capability ", properties.major, ".", properties.minor, ".");
    }
    check(found, "cudaFuncGetAttributes");
}

// At a kernel's first launch. Lets it have all the shared memory that a block of this device can: the size is the function's, not a
// launch's, and threads that launch the same kernel would take it from each other if each asked for its own.
//
// Returns whether its code has the wait of wait_for_previous_kernel(): what the source was compiled for says it, not what the GPU
// is, for which the driver may have compiled older PTX.
bool prepare(const void* kernel) {
    constexpr int kWaits = 90;
    cudaFuncAttributes attributes{};
    check(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
    int most = 0;
    check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0),
          "cudaDeviceGetAttribute");
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               most - static_cast<int>(attributes.sharedSizeBytes)),
          "Shared memory of a kernel");
    return attributes.ptxVersion >= kWaits;
}

bool can_wait(const void* kernel) {
    // Never destroyed: streams may still be used while the process exits.
    static std::mutex& mutex = *new std::mutex;
    static auto& prepared = *new std::unordered_map<const void*, bool>;
    const std::lock_guard lock(mutex);
    const auto found = prepared.find(kernel);
    return found != prepared.end() ? found->second : prepared.emplace(kernel, prepare(kernel)).first->second;
}

}  // namespace

DeviceFacts device_facts() {
    int n_devices = 0, driver = 0, runtime = 0;
    const cudaError_t counted = cudaGetDeviceCount(&n_devices);
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0) fail(ErrorCode::backend, "This machine has no driver of NVIDIA.");
    if (counted == cudaErrorInsufficientDriver)
        fail(ErrorCode::backend, "The driver is too old: it offers ", version_text(driver), ", and ",
             version_text(runtime), " was built against.");
    if (counted == cudaErrorNoDevice || (counted == cudaSuccess && n_devices == 0))
        fail(ErrorCode::backend, "The driver knows no GPU.");
    check(counted, "cudaGetDeviceCount");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    if (properties.major < kOldestMajor)
        fail(ErrorCode::backend, properties.name, " has compute capability ", properties.major, ".",
             properties.minor, "; at least ", kOldestMajor, ".0 is needed.");
    check_compiled_for(properties);
    return {properties.name,
            text("driver for ", version_text(driver), ", runtime ", version_text(runtime)),
            properties.major,
            properties.minor,
            properties.multiProcessorCount,
            properties.sharedMemPerBlockOptin,
            static_cast<std::size_t>(properties.l2CacheSize)};
}

DeviceMemory device_memory() {
    std::size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
    return {free_bytes, total_bytes};
}

void* allocate_device(std::size_t n_bytes) {
    void* memory = nullptr;
    if (n_bytes == 0) return memory;
    const cudaError_t error = cudaMalloc(&memory, n_bytes);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        const DeviceMemory have = device_memory();
        fail(ErrorCode::out_of_memory, "The device cannot allocate ", n_bytes, " bytes: ", have.free_bytes,
             " of ", have.total_bytes, " are free.");
    }
    check(error, "cudaMalloc");
    return memory;
}

void free_device(void* memory) noexcept {
    if (memory) cudaFree(memory);
}

void* allocate_pinned(std::size_t n_bytes) {
    void* memory = nullptr;
    if (n_bytes > 0) check(cudaHostAlloc(&memory, n_bytes, cudaHostAllocDefault), "cudaHostAlloc");
    return memory;
}

void free_pinned(void* memory) noexcept {
    if (memory) cudaFreeHost(memory);
}

struct Stream::State {
    cudaStream_t stream = nullptr;
};
struct Event::State {
    cudaEvent_t event = nullptr;
};
struct Graph::State {
    cudaGraphExec_t graph = nullptr;
    void release() {
        if (graph) cudaGraphExecDestroy(graph);
        graph = nullptr;
    }
};

Stream::Stream() : state_(new State) {
    check(cudaStreamCreateWithFlags(&state_->stream, cudaStreamNonBlocking), "cudaStreamCreate");
}
Stream::~Stream() {
    if (state_->stream) cudaStreamDestroy(state_->stream);
}

void Stream::copy_to_device(void* to, const void* from, std::size_t n_bytes) {
    check(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, state_->stream), "A copy to the device");
}
void Stream::copy_to_host(void* to, const void* from, std::size_t n_bytes) {
    check(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToHost, state_->stream), "A copy to the host");
}
void Stream::copy_on_device(void* to, const void* from, std::size_t n_bytes) {
    check(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToDevice, state_->stream),
          "A copy on the device");
}
void Stream::fill_zero(void* device, std::size_t n_bytes) {
    if (n_bytes > 0) check(cudaMemsetAsync(device, 0, n_bytes, state_->stream), "cudaMemset");
}

void set_overlap(bool is_on) { overlap_is_on = is_on; }

void Stream::launch_kernel(const void* kernel, const LaunchShape& shape, void** args) {
    const bool may_overlap = can_wait(kernel) && shape.may_overlap;
    cudaLaunchAttribute overlap{};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config{};
    config.gridDim =
        dim3(static_cast<unsigned>(shape.x), static_cast<unsigned>(shape.y), static_cast<unsigned>(shape.z));
    config.blockDim = dim3(static_cast<unsigned>(shape.n_threads));
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = state_->stream;
    config.attrs = &overlap;
    config.numAttrs = may_overlap && overlap_is_on ? 1 : 0;
    check(cudaLaunchKernelExC(&config, kernel, args), "A launch");
}

void Stream::record(Event& event) {
    check(cudaEventRecord(event.state_->event, state_->stream), "cudaEventRecord");
}
void Stream::wait_for(const Event& event) {
    check(cudaStreamWaitEvent(state_->stream, event.state_->event, 0), "cudaStreamWaitEvent");
}
void Stream::synchronize() { check(cudaStreamSynchronize(state_->stream), "The work on the device"); }

Event::Event() : state_(new State) { check(cudaEventCreate(&state_->event), "cudaEventCreate"); }
Event::~Event() {
    if (state_->event) cudaEventDestroy(state_->event);
}
void Event::synchronize() const { check(cudaEventSynchronize(state_->event), "The work on the device"); }
float Event::elapsed_ms(const Event& from, const Event& to) {
    float milliseconds = 0.0f;
    check(cudaEventElapsedTime(&milliseconds, from.state_->event, to.state_->event), "cudaEventElapsedTime");
    return milliseconds;
}

Graph::Graph() : state_(new State) {}
Graph::~Graph() { state_->release(); }

void Graph::capture(Stream& stream, const std::function<void()>& record) {
    state_->release();
    const cudaStream_t s = stream.state_->stream;
    cudaGraph_t graph = nullptr;
    // Other threads may allocate meanwhile.
    check(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    try {
        record();
    } catch (...) {
        cudaStreamEndCapture(s, &graph);
        if (graph) cudaGraphDestroy(graph);
        cudaGetLastError();
        throw;
    }
    check(cudaStreamEndCapture(s, &graph), "cudaStreamEndCapture");
    const cudaError_t error = cudaGraphInstantiate(&state_->graph, graph, 0);
    cudaGraphDestroy(graph);
    check(error, "cudaGraphInstantiate");
}

void Graph::launch(Stream& stream) const {
    check(cudaGraphLaunch(state_->graph, stream.state_->stream), "cudaGraphLaunch");
}

}  // namespace neox::cuda
