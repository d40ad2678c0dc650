/**
 * Classic BPF programs on sockets: which packets a socket gets, and which socket of a reuse-port group gets a packet.
 * Takes programs as instructions; composing them is the caller's work (linux/filter.h, man 7 socket).
 */
import { check } from './errors.ts';
import { addressOf, libc } from './libc.ts';
import { setU64 } from './mmsg.ts';
import { SocketLevel, SocketOption } from './socket-options.ts';

/** struct sock_filter: operation, jumps if true and false (both relative), operand (unsigned 32 bits). */
export interface BpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** BPF_MAXINSNS: longest program. */
const PROGRAM_MAX = 4096;
const INSTRUCTION_SIZE = 8;
const SOCK_FPROG_SIZE = 16;

/** Packets for which the program returns 0 are not delivered. Of a raw IPv4 socket it sees the IP header first, of UDP the UDP header. */
export function attachFilter(fd: number, program: readonly BpfInstruction[]): void {
  attach(fd, SocketOption.attachFilter, program, 'attaching a packet filter');
}

/**
 * The program returns the index of the socket, in the order of their binding, that gets the packet; any other value falls
 * back to the kernel's hash. One program serves the whole group of sockets with SO_REUSEPORT.
 */
export function attachReusePortProgram(fd: number, program: readonly BpfInstruction[]): void {
  attach(fd, SocketOption.attachReusePortProgram, program, 'attaching a program that selects the socket');
}

function attach(fd: number, option: number, program: readonly BpfInstruction[], doing: string): void {
  if (program.length === 0 || program.length > PROGRAM_MAX) {
    throw new RangeError(`${doing}: a program has 1 to ${PROGRAM_MAX} instructions, not ${program.length}`);
  }
  // struct sock_fprog { u16 length, padding, u64 address } and the instructions in one buffer, which the call keeps alive.
  const buffer = new Uint8Array(SOCK_FPROG_SIZE + program.length * INSTRUCTION_SIZE);
  const view = new DataView(buffer.buffer);
  view.setUint16(0, program.length, true);
  setU64(view, 8, addressOf(buffer) + SOCK_FPROG_SIZE);
  program.forEach(({ code, jt, jf, k }, i) => {
    const at = SOCK_FPROG_SIZE + i * INSTRUCTION_SIZE;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  });
  check(
    libc.setsockopt(fd, SocketLevel.socket, option, buffer, SOCK_FPROG_SIZE),
    'setsockopt',
    `${doing} to descriptor ${fd}`,
    { EINVAL: 'the kernel rejects the program: bad instruction, jump or no return at its end' },
  );
}
