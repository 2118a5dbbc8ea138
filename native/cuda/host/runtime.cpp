// cuda/runtime.h on the CPU. A stream is a list of things to do, which are done when somebody waits for them. While none is being
// done the device's memory is closed to reads and writes, as it is to the host of a GPU; an unmapped page follows each allocation.
#include "cuda/runtime.h"

#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include <sys/mman.h>

#include "base/error.h"
#include "cuda/host/block.h"
#include "cuda/host/runtime_emulated.h"

namespace neox::cuda {

namespace {

constexpr std::size_t kPage = 4096, kAlignment = 256;
constexpr std::uint64_t kDefaultMemory = std::uint64_t{8} << 30;

struct Allocation {
    std::byte* pages;
    std::size_t n_mapped;  // with the page that nobody may touch
    std::size_t n_bytes;
};

// Never destroyed: streams may still be used while the process exits.
struct Machine {
    std::recursive_mutex mutex;
    std::map<std::byte*, Allocation> allocations;
    std::uint64_t total_bytes = kDefaultMemory, used_bytes = 0;
    std::uint64_t seed = 1, n_launches = 0;
    int n_open = 0;  // nested reasons for the memory to be open
};

Machine& machine() {
    static Machine& instance = *new Machine;
    return instance;
}

void protect(const Allocation& a, int access) { mprotect(a.pages, a.n_mapped - kPage, access); }

// Opens the device's memory, for one thread of the process at a time.
class OpenMemory {
public:
    OpenMemory() : lock_(machine().mutex) {
        if (machine().n_open++ == 0)
            for (const auto& [data, a] : machine().allocations) protect(a, PROT_READ | PROT_WRITE);
    }
    ~OpenMemory() {
        if (--machine().n_open == 0)
            for (const auto& [data, a] : machine().allocations) protect(a, PROT_NONE);
    }
    OpenMemory(const OpenMemory&) = delete;
    OpenMemory& operator=(const OpenMemory&) = delete;

private:
    std::lock_guard<std::recursive_mutex> lock_;
};

}  // namespace

namespace emulation {

void set_memory(std::uint64_t total_bytes) {
    const std::lock_guard lock(machine().mutex);
    machine().total_bytes = total_bytes == 0 ? kDefaultMemory : total_bytes;
}

void set_seed(std::uint64_t seed) {
    const std::lock_guard lock(machine().mutex);
    machine().seed = seed;
}

std::uint64_t n_launches() {
    const std::lock_guard lock(machine().mutex);
    return machine().n_launches;
}

}  // namespace emulation

DeviceFacts device_facts() {
    return {"Emulated device", "emulated on the CPU", 9, 0, 4, std::size_t{227} << 10, std::size_t{50} << 20};
}

DeviceMemory device_memory() {
    const std::lock_guard lock(machine().mutex);
    const std::uint64_t total = machine().total_bytes, used = machine().used_bytes;
    return {total > used ? total - used : 0, total};
}

void* allocate_device(std::size_t n_bytes) {
    if (n_bytes == 0) return nullptr;
    const OpenMemory open;
    Machine& m = machine();
    const std::size_t aligned = (n_bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (aligned < n_bytes || m.used_bytes + aligned > m.total_bytes)
        fail(ErrorCode::out_of_memory, "The device cannot allocate ", n_bytes, " bytes: ", m.used_bytes,
             " of ", m.total_bytes, " are taken.");
    const std::size_t n_mapped = (aligned + kPage - 1) / kPage * kPage + kPage;
    void* pages = mmap(nullptr, n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        fail(ErrorCode::out_of_memory, "The emulated device cannot map ", n_mapped, " bytes.");
    const Allocation a{static_cast<std::byte*>(pages), n_mapped, aligned};
    mprotect(a.pages + n_mapped - kPage, kPage, PROT_NONE);
    std::byte* data = a.pages + n_mapped - kPage - aligned;
    std::memset(data, 0xff, aligned);
    m.used_bytes += aligned;
    m.allocations.emplace(data, a);
    return data;
}

void free_device(void* memory) noexcept {
    if (!memory) return;
    Machine& m = machine();
    const std::lock_guard lock(m.mutex);
    const auto entry = m.allocations.find(static_cast<std::byte*>(memory));
    if (entry == m.allocations.end()) return;
    munmap(entry->second.pages, entry->second.n_mapped);
    m.used_bytes -= entry->second.n_bytes;
    m.allocations.erase(entry);
}

void* allocate_pinned(std::size_t n_bytes) {
    return n_bytes == 0 ? nullptr : ::operator new (n_bytes, std::align_val_t{kAlignment});
}

void free_pinned(void* memory) noexcept { ::operator delete (memory, std::align_val_t{kAlignment}); }

using Action = std::function<void()>;

struct Stream::State {
    std::deque<Action> actions;
    std::uint64_t n_asked = 0, n_done = 0;
    std::vector<Action>* captured = nullptr;  // where a capture goes

    void ask(Action action) {
        if (captured) return captured->push_back(std::move(action));
        actions.push_back(std::move(action));
        ++n_asked;
    }
    // Does everything up to the n-th thing that was ever asked for.
    void run_to(std::uint64_t n) {
        const OpenMemory open;
        while (n_done < n && !actions.empty()) {
            const Action action = std::move(actions.front());
            actions.pop_front();
            ++n_done;
            action();
        }
    }
};

struct Event::State {
    Stream::State* stream = nullptr;
    std::uint64_t index = 0;
    std::chrono::steady_clock::time_point time;
    bool has_come = false;
};

struct Graph::State {
    std::vector<Action> actions;
};

Stream::Stream() : state_(new State) {}
Stream::~Stream() = default;

void Stream::copy_to_device(void* to, const void* from, std::size_t n_bytes) {
    if (n_bytes > 0) state_->ask([=] { std::memcpy(to, from, n_bytes); });
}
void Stream::copy_to_host(void* to, const void* from, std::size_t n_bytes) {
    copy_to_device(to, from, n_bytes);
}
void Stream::copy_on_device(void* to, const void* from, std::size_t n_bytes) {
    copy_to_device(to, from, n_bytes);
}
void Stream::fill_zero(void* device, std::size_t n_bytes) {
    if (n_bytes > 0) state_->ask([=] { std::memset(device, 0, n_bytes); });
}

void Stream::launch_emulated(const LaunchShape& shape, std::function<void()> kernel) {
    const emulation::Grid grid{
        {shape.x, shape.y, shape.z}, shape.n_threads, shape.shared_bytes, shape.may_overlap};
    // The stream that a graph is launched in may be another than the one that it was recorded on.
    state_->ask([grid, kernel = std::move(kernel)] {
        thread_local emulation::Block block;
        const std::uint64_t seed = machine().seed + machine().n_launches++;
        block.run(grid, seed, kernel);
    });
}

void Stream::record(Event& event) {
    Event::State* mark = event.state_.get();
    mark->has_come = false;
    state_->ask([mark] {
        mark->time = std::chrono::steady_clock::now();
        mark->has_come = true;
    });
    mark->stream = state_.get();
    mark->index = state_->n_asked;
}

void Stream::wait_for(const Event& event) {
    const Event::State* mark = event.state_.get();
    Stream::State* other = mark->stream;
    const std::uint64_t index = mark->index;
    if (!other) return;
    state_->ask([other, index] { other->run_to(index); });
}

void Stream::synchronize() { state_->run_to(state_->n_asked); }

Event::Event() : state_(new State) {}
Event::~Event() = default;

void Event::synchronize() const {
    if (state_->stream) state_->stream->run_to(state_->index);
}

float Event::elapsed_ms(const Event& from, const Event& to) {
    if (!from.state_->has_come || !to.state_->has_come)
        fail(ErrorCode::internal, "An event that has not come by has no time.");
    return std::chrono::duration<float, std::milli>(to.state_->time - from.state_->time).count();
}

Graph::Graph() : state_(new State) {}
Graph::~Graph() = default;

void Graph::capture(Stream& stream, const std::function<void()>& record) {
    state_->actions.clear();
    stream.state_->captured = &state_->actions;
    try {
        record();
    } catch (...) {
        stream.state_->captured = nullptr;
        throw;
    }
    stream.state_->captured = nullptr;
}

void Graph::launch(Stream& stream) const {
    for (const Action& action : state_->actions) stream.state_->ask(action);
}

}  // namespace neox::cuda
