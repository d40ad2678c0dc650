/**
 * How much JavaScript heap a function takes, garbage included: read in strides so short that no collection falls
 * between two readings, which would hide what it freed.
 */
import v8 from 'node:v8';
import vm from 'node:vm';

/** Calls between two readings: at a few bytes each they stay below the smallest young generation, 1 MiB. */
const STRIDE = 256;

/** @returns bytes a call, what reading itself takes already subtracted; about 0 when it takes none */
export function heapBytesPerCall(run: () => void, calls: number): number {
  const collect = collector();
  const strides = Math.ceil(calls / STRIDE);
  // The first time, what the compiler keeps of the loop is among it.
  grown(nothing, strides);
  collect();
  const reading = grown(nothing, strides);
  collect();
  return (grown(run, strides) - reading) / (strides * STRIDE);
}

const nothing = (): void => {};

function grown(run: () => void, strides: number): number {
  let bytes = 0;
  for (let n = 0; n < strides; n++) {
    const before = v8.getHeapStatistics().used_heap_size;
    for (let k = 0; k < STRIDE; k++) run();
    // Less than before: a collection came between. One stride in many, which is left out.
    bytes += Math.max(0, v8.getHeapStatistics().used_heap_size - before);
  }
  return bytes;
}

/** The garbage collector as a function, without a flag on the command line. */
function collector(): () => void {
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc');
}
