#include "base/thread.h"

#include <cstddef>
#include <utility>

#include "check.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

using neox::Thread;

namespace {

// Uses up the stack, a page at a time. A page is read after the call below it, so that no loop can stand for the calls.
int touch(std::size_t bytes) {
    volatile char page[4096];
    page[0] = static_cast<char>(bytes);
    const int below = bytes <= sizeof(page) ? 0 : touch(bytes - sizeof(page));
    return page[0] + below;
}

#if defined(__GLIBC__)
// As on musl: what a thread gets that asks for nothing.
class SmallStacks {
public:
    SmallStacks() {
        pthread_getattr_default_np(&old_);
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 128 << 10);
        pthread_setattr_default_np(&small);
        pthread_attr_destroy(&small);
    }
    ~SmallStacks() {
        pthread_setattr_default_np(&old_);
        pthread_attr_destroy(&old_);
    }

private:
    pthread_attr_t old_;
};
#else
struct SmallStacks {
    ~SmallStacks() {}
};
#endif

}  // namespace

TEST(thread_has_a_large_stack_whatever_the_default) {
    const SmallStacks small;
    bool has_run = false;
#if defined(_WIN32)
    constexpr std::size_t kBytes = std::size_t{512} << 10;
#else
    constexpr std::size_t kBytes = neox::kThreadStack / 2;
#endif
    Thread thread([&has_run] {
        (void)touch(kBytes);
        has_run = true;
    });
    thread.join();
    CHECK(has_run);
}

TEST(thread_is_joinable_until_it_is_joined_detached_or_moved_from) {
    Thread none;
    CHECK(!none.joinable());
    Thread first([] {});
    CHECK(first.joinable());
    Thread second(std::move(first));
    CHECK(!first.joinable());  // NOLINT: what a moved one is, is promised
    CHECK(second.joinable());
    none = std::move(second);
    CHECK(!second.joinable());  // NOLINT
    none.join();
    CHECK(!none.joinable());
    Thread alone([] {});
    alone.detach();
    CHECK(!alone.joinable());
}
