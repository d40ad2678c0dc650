/**
 * A static executable for x86-64 Linux: one segment with code and constants, one with memory that is zero at start.
 *
 *   0   ELF header (64)      64  program headers (2 × 56)      176  code
 */

/** Where the code stands. */
export const CODE = 0x400000 + 176;
/** Where the memory stands. */
export const MEMORY = 0x10000000;

const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const FLAGS = { execute: 1, write: 2, read: 4 };

/** @param code for the address CODE, entered at its first byte @param memory bytes at MEMORY */
export function executable(code: Uint8Array, memory: number): Uint8Array {
  const start = HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE;
  const file = new Uint8Array(start + code.length);
  const view = new DataView(file.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian, version 1
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  u64(24, CODE);
  u64(32, HEADER_SIZE);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, 2, true);
  const segment = (at: number, flags: number, address: number, inFile: number, inMemory: number) => {
    view.setUint32(at, 1, true); // PT_LOAD
    view.setUint32(at + 4, flags, true);
    u64(at + 16, address);
    u64(at + 24, address);
    u64(at + 32, inFile);
    u64(at + 40, inMemory);
    u64(at + 48, 0x1000);
  };
  segment(HEADER_SIZE, FLAGS.read | FLAGS.execute, CODE - start, file.length, file.length);
  segment(HEADER_SIZE + PROGRAM_HEADER_SIZE, FLAGS.read | FLAGS.write, MEMORY, 0, memory);
  file.set(code, start);
  return file;
}
