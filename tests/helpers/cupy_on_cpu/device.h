// What CUDA C++ offers to CuPy's kernels, for g++: one processor runs the threads in turns.
#pragma once
#include <algorithm>
#include <cassert>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __shared__ static

using std::isfinite;
using std::isinf;
using std::isnan;
using std::max;
using std::min;
using std::signbit;

struct Place {
  unsigned x, y, z;
};
static Place threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};
alignas(16) static char shared_memory[1 << 17];

// threads that wait for each other are fibers, of one block at a time
static ucontext_t scheduler, *running = nullptr;
static unsigned alive, arrived, generation;
static char *has_ended;
static void (*kernel_)(void **);
static void **arguments_;

inline void __syncwarp(unsigned = 0) {
  if (running) swapcontext(running, &scheduler);
}
inline void __syncthreads() {
  if (!running) return;
  const unsigned mine = generation;
  ++arrived;
  while (generation == mine) __syncwarp();
}
static void fiber() {
  kernel_(arguments_);
  *has_ended = 1;
  swapcontext(running, &scheduler);
}
inline Place place_of(unsigned k, Place sizes) {
  return {k % sizes.x, k / sizes.x % sizes.y, k / sizes.x / sizes.y};
}
inline void each_thread(void (*f)(void **), void **p, const unsigned *grid, const unsigned *block) {
  kernel_ = f, arguments_ = p;
  gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
  const unsigned count = block[0] * block[1] * block[2], blocks = grid[0] * grid[1] * grid[2];
  std::vector<std::vector<char>> stacks(count, std::vector<char>(1 << 15));
  std::vector<ucontext_t> fibers(count);
  for (unsigned k = 0; k < blocks; ++k) {
    blockIdx = place_of(k, gridDim);
    std::vector<char> ended(count, 0);
    for (unsigned t = 0; t < count; ++t) {
      getcontext(&fibers[t]);
      fibers[t].uc_stack.ss_sp = stacks[t].data();
      fibers[t].uc_stack.ss_size = stacks[t].size();
      fibers[t].uc_link = nullptr;
      makecontext(&fibers[t], fiber, 0);
    }
    arrived = 0, alive = count;
    while (alive) {
      if (arrived == alive) arrived = 0, ++generation;
      for (unsigned t = 0; t < count; ++t) {
        if (ended[t]) continue;
        threadIdx = place_of(t, blockDim), running = &fibers[t], has_ended = &ended[t];
        swapcontext(&scheduler, running);
        alive -= ended[t];
      }
    }
  }
  running = nullptr, threadIdx = blockIdx = {0, 0, 0}, gridDim = blockDim = {1, 1, 1};
}

template <class To, class From> To same_bits(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &v, sizeof to);
  return to;
}
inline int __float_as_int(float v) { return same_bits<int>(v); }
inline float __int_as_float(int v) { return same_bits<float>(v); }
inline long long __double_as_longlong(double v) { return same_bits<long long>(v); }
inline double __longlong_as_double(long long v) { return same_bits<double>(v); }
inline unsigned short __float2half_rn(float v) { return same_bits<unsigned short>((_Float16)v); }
inline float __half2float(unsigned short v) { return (float)same_bits<_Float16>(v); }
#define __half_as_ushort(h) (static_cast<__half_raw>(h).x)
#define __ushort_as_half(v) half(__half_raw{(unsigned short)(v)})

inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v ? __builtin_clz(v) : 32; }
template <class T> T __ldg(const T *p) { return *p; }

template <class T, class F> T replace(T *p, F next) {
  const T old = *p;
  *p = next(old);
  return old;
}
template <class T> T atomicAdd(T *p, T v) { return replace(p, [v](T old) { return T(old + v); }); }
template <class T> T atomicSub(T *p, T v) { return replace(p, [v](T old) { return T(old - v); }); }
template <class T> T atomicMax(T *p, T v) { return replace(p, [v](T old) { return max(old, v); }); }
template <class T> T atomicMin(T *p, T v) { return replace(p, [v](T old) { return min(old, v); }); }
template <class T> T atomicAnd(T *p, T v) { return replace(p, [v](T old) { return T(old & v); }); }
template <class T> T atomicOr(T *p, T v) { return replace(p, [v](T old) { return T(old | v); }); }
template <class T> T atomicXor(T *p, T v) { return replace(p, [v](T old) { return T(old ^ v); }); }
template <class T> T atomicExch(T *p, T v) { return replace(p, [v](T) { return v; }); }
template <class T> T atomicCAS(T *p, T c, T v) {
  return replace(p, [c, v](T old) { return old == c ? v : old; });
}

// CuPy's kernels name complex numbers even where they have none
template <class T> struct complex;

#include <cupy/carray.cuh>
#include <cupy/float16.cuh>
#include <cupy/atomics.cuh>
#include <cupy/math_constants.h>

template <class... A, std::size_t... K>
void invoke_with(void (*f)(A...), void **p, std::index_sequence<K...>) {
  f(*reinterpret_cast<std::remove_const_t<A> *>(p[K])...);
}
template <class... A> void invoke(void (*f)(A...), void **p) {
  invoke_with(f, p, std::index_sequence_for<A...>{});
}
