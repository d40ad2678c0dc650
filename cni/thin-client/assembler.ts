/**
 * The few x86-64 instructions that the thin client is made of, with labels. Encodings as in the Intel manual, volume 2;
 * addresses are absolute and below 2^31, operands 64 bits wide. Knows nothing of what the program does.
 */

/** Numbers of the registers in encodings. */
export const Register = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r13: 13,
  r14: 14,
  r15: 15,
} as const;
export type Register = (typeof Register)[keyof typeof Register];

/** Condition codes of jumps. */
export const Condition = {
  below: 2,
  zero: 4,
  notZero: 5,
  belowOrEqual: 6,
  negative: 8,
  lessOrEqual: 14,
} as const;
type Condition = (typeof Condition)[keyof typeof Condition];

interface Fixup {
  readonly at: number;
  readonly label: string;
  readonly kind: 'relative32' | 'absolute32' | 'absolute64';
}

export class Assembler {
  readonly #base: number;
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  /** @param base address of the first byte */
  constructor(base: number) {
    this.#base = base;
  }

  label(name: string): void {
    this.#labels.set(name, this.#bytes.length);
  }

  /** The program, labels put in. */
  assemble(): Uint8Array {
    const bytes = Uint8Array.from(this.#bytes);
    const view = new DataView(bytes.buffer);
    for (const { at, label, kind } of this.#fixups) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`no label ${label}`);
      if (kind === 'relative32') view.setInt32(at, target - (at + 4), true);
      else if (kind === 'absolute32') view.setUint32(at, this.#base + target, true);
      else view.setBigUint64(at, BigInt(this.#base + target), true);
    }
    return bytes;
  }

  // Data.

  data(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  /** 8 bytes: the address of a label, or zero. */
  pointer(label: string | null): void {
    if (label !== null) this.#fixup(label, 'absolute64');
    this.#emit(0, 0, 0, 0, 0, 0, 0, 0);
  }

  // Instructions: the destination comes first.

  set(to: Register, value: number | string): void {
    if (to > 7) this.#emit(0x41);
    this.#emit(0xb8 + (to & 7));
    if (typeof value === 'string') this.#fixup(value, 'absolute32');
    this.#u32(typeof value === 'string' ? 0 : value);
  }

  move(to: Register, from: Register): void {
    this.#registers(0x89, from, to);
  }

  add(to: Register, from: Register): void {
    this.#registers(0x01, from, to);
  }

  subtract(to: Register, from: Register): void {
    this.#registers(0x29, from, to);
  }

  compare(left: Register, right: Register): void {
    this.#registers(0x39, right, left);
  }

  /** Sets the flags as a comparison with zero does. */
  test(register: Register): void {
    this.#registers(0x85, register, register);
  }

  addNumber(to: Register, value: number): void {
    this.#immediate(0, to, value);
  }

  and(to: Register, value: number): void {
    this.#immediate(4, to, value);
  }

  compareNumber(left: Register, value: number): void {
    this.#immediate(7, left, value);
  }

  /** rax: quotient, rdx: remainder of rdx:rax. */
  divide(by: Register): void {
    this.#registers(0xf7, 6, by);
  }

  load(to: Register, from: Register, offset = 0): void {
    this.#memory([0x8b], to, from, offset);
  }

  store(to: Register, from: Register, offset = 0): void {
    this.#memory([0x89], from, to, offset);
  }

  loadByte(to: Register, from: Register, offset = 0): void {
    this.#memory([0x0f, 0xb6], to, from, offset);
  }

  storeByte(to: Register, from: Register, offset = 0): void {
    this.#memory([0x88], from, to, offset);
  }

  /** 32 bits, the upper half becomes zero. */
  loadWord(to: Register, from: Register): void {
    this.load(to, from);
    this.#registers(0x89, to, to, false);
  }

  jump(label: string): void {
    this.#emit(0xe9);
    this.#relative(label);
  }

  jumpIf(condition: Condition, label: string): void {
    this.#emit(0x0f, 0x80 + condition);
    this.#relative(label);
  }

  /** rcx bytes from rsi to rdi, both moved on. */
  copyBytes(): void {
    this.#emit(0xf3, 0xa4);
  }

  /** Compares rcx bytes at rsi and rdi until they differ; zero: they do not. */
  compareBytes(): void {
    this.#emit(0xf3, 0xa6);
  }

  /** rax: number, then result. Arguments: rdi rsi rdx r10 r8 r9. rcx and r11 are lost. */
  systemCall(number: number): void {
    this.set(Register.rax, number);
    this.#emit(0x0f, 0x05);
  }

  #registers(opcode: number, reg: number, rm: number, wide = true): void {
    this.#emit(rex(wide, reg, rm), opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7));
  }

  #immediate(extension: number, to: number, value: number): void {
    this.#emit(rex(true, 0, to), 0x81, 0xc0 | (extension << 3) | (to & 7));
    this.#u32(value);
  }

  /** With a displacement of 8 bits; rsp and r12 would need another form as base. */
  #memory(opcode: readonly number[], reg: number, base: number, offset: number): void {
    if ((base & 7) === 4) throw new Error('rsp and r12 are no bases here');
    this.#emit(rex(true, reg, base), ...opcode, 0x40 | ((reg & 7) << 3) | (base & 7), offset & 0xff);
  }

  #relative(label: string): void {
    this.#fixup(label, 'relative32');
    this.#u32(0);
  }

  #fixup(label: string, kind: Fixup['kind']): void {
    this.#fixups.push({ at: this.#bytes.length, label, kind });
  }

  #u32(value: number): void {
    this.#emit(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff);
  }

  #emit(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }
}

function rex(wide: boolean, reg: number, rm: number): number {
  return 0x40 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0) | (rm > 7 ? 1 : 0);
}
