// What the host asks of the GPU: memory, ordered work, graphs. Implemented by cuda/runtime.cu on CUDA's runtime and by
// cuda/host/runtime.cpp on the CPU, where nothing of a stream runs before somebody waits for it, and the device's memory cannot be
// touched by the host (a fault, as on a GPU).
//
// Failures throw: ERR_NEOX_OUT_OF_MEMORY, else ERR_NEOX_BACKEND with CUDA's name and text for it. A pointer to the device's memory
// is a plain pointer that the host must not follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace neox::cuda {

// --- The device: the first that CUDA offers.

struct DeviceFacts {
    std::string name;    // "NVIDIA H200"
    std::string driver;  // "driver for CUDA 13.1, runtime CUDA 13.0"; "emulated on the CPU"
    int major, minor;    // compute capability
    int n_multiprocessors;
    std::size_t shared_bytes;  // that a block may ask for
    std::size_t l2_bytes;
};
// Throws ERR_NEOX_BACKEND where none can be used, with the reason: no driver, one that is too old, no device, one below sm_80, one
// that the library was not compiled for.
DeviceFacts device_facts();

// What a block may ask for on any device (sm_86, 89 and 120 have the least).
inline constexpr std::size_t kLeastSharedBytes = 99 << 10;

struct DeviceMemory {
    std::uint64_t free_bytes, total_bytes;
};
DeviceMemory device_memory();

// --- Memory. New memory holds nothing of use (the emulation fills it with NaN); sizes of 0 are allowed.

void* allocate_device(std::size_t n_bytes);  // aligned to 256
void free_device(void* memory) noexcept;
void* allocate_pinned(std::size_t n_bytes);  // of the host, page-locked: copies to and from it do not block
void free_pinned(void* memory) noexcept;

// n elements that are freed with it.
template <class T, void* (*allocate)(std::size_t), void (*release)(void*) noexcept> class Buffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    Buffer() = default;
    explicit Buffer(std::size_t n) { reset(n); }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { release(data_); }

    // What it held is lost.
    void reset(std::size_t n) {
        release(std::exchange(data_, nullptr));
        size_ = 0;
        data_ = static_cast<T*>(allocate(n * sizeof(T)));
        size_ = n;
    }
    T* data() const { return data_; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return size_ * sizeof(T); }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};
template <class T> using DeviceBuffer = Buffer<T, allocate_device, free_device>;
template <class T> using PinnedBuffer = Buffer<T, allocate_pinned, free_pinned>;

// --- Work.

struct LaunchShape {
    int x = 1, y = 1, z = 1;  // blocks
    int n_threads = 0;        // of a block: a multiple of 32
    std::size_t shared_bytes = 0;
    // May begin while the kernel before it ends (programmatic dependent launch): it must wait for it by itself, with
    // wait_for_previous_kernel(), before it reads or writes anything that kernel has to do with. Without effect on code that
    // cannot wait.
    bool may_overlap = false;
};

#if !defined(NEOX_CUDA_EMULATED)
// Whether kernels that may overlap do, in every stream from now on; they do at first. For tests: without it no result may differ.
void set_overlap(bool is_on);
#endif

class Event;
class Graph;

// Work in the order in which it is asked for. One host thread at a time.
class Stream {
public:
    Stream();
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Host memory must stay until the copy is done; it runs beside the host only where that memory is pinned.
    void copy_to_device(void* to, const void* from, std::size_t n_bytes);
    void copy_to_host(void* to, const void* from, std::size_t n_bytes);
    void copy_on_device(void* to, const void* from, std::size_t n_bytes);
    void fill_zero(void* device, std::size_t n_bytes);

    // kernel<<<shape>>>(args). For .cu files.
    template <class Args> void launch(void (*kernel)(Args), const LaunchShape& shape, const Args& args) {
        static_assert(std::is_trivially_copyable_v<Args>);
#if defined(NEOX_CUDA_EMULATED)
        launch_emulated(shape, [kernel, args] { kernel(args); });
#else
        Args copy = args;
        void* pointers[] = {&copy};
        launch_kernel(reinterpret_cast<const void*>(kernel), shape, pointers);
#endif
    }

    void record(Event& event);
    void wait_for(const Event& event);  // of another stream
    void synchronize();                 // the host waits

    struct State;

private:
    friend class Graph;
    void launch_emulated(const LaunchShape& shape, std::function<void()> kernel);
    void launch_kernel(const void* kernel, const LaunchShape& shape, void** args);

    std::unique_ptr<State> state_;
};

// A place in a stream, for waiting and for measuring time.
class Event {
public:
    Event();
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void synchronize() const;  // the host waits until the stream has come by
    // Milliseconds between two events that have come by.
    static float elapsed_ms(const Event& from, const Event& to);

    struct State;

private:
    friend class Stream;
    std::unique_ptr<State> state_;
};

// What a stream was asked for, recorded once and launched as a whole. Kernels' arguments are kept as they were: what
// changes from launch to launch lies in the device's memory.
class Graph {
public:
    Graph();
    ~Graph();
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    // record() asks `stream` for kernels, fills and copies, none of which runs now.
    void capture(Stream& stream, const std::function<void()>& record);
    void launch(Stream& stream) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace neox::cuda
