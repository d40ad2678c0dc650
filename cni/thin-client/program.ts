/**
 * The plugin's executable for x86-64: does what client.ts does when all is well, in 0.4 ms instead of the 50 that Node needs to
 * start. Passes environment and stdin to the daemon as bytes (call-bytes.ts), prints the answer. Whenever something is not as
 * it expects (no daemon, another socket in the configuration, an answer that is none) it becomes client.ts, with the same
 * stdin, environment and token.
 *
 *   memory:  token ▸ environment for client.ts ▸ head of the request ▸ body: CNI_* variables, stdin ▸ answer
 *   rbx: the process's environment, later the exit status   r14, r15: begin of stdin, end of the body   r13: descriptor
 *   rbp: where reading or writing is   r8, r9: begin of the answer, and of its body
 */
import { Assembler, Condition, Register } from './assembler.ts';
import { CODE, executable, MEMORY } from './elf.ts';

export interface ThinClientOptions {
  /** Full path of the daemon's socket. */
  readonly socket: string;
  /** Full paths of Node and of client.js. */
  readonly node: string;
  readonly client: string;
  /** Found in the file, to tell that it is ours. */
  readonly mark: string;
}

const TOKEN_NAME = 'WEFT_CNI_TOKEN=';
const TOKEN_LENGTH = 16;
/** Places in memory. The environment has room for more pointers than the kernel passes on. */
const RANDOM = MEMORY;
const TOKEN = MEMORY + 64;
const ENVIRONMENT = MEMORY + 0x1000;
const BODY = MEMORY + 0x800000;
const END = MEMORY + 0x4800000;
/** Kept free behind what is read, for a line break. */
const SPARE = 16;

const HEAD = [
  'POST /v1/cni HTTP/1.1',
  'Host: weft',
  'Content-Type: application/octet-stream',
  'Connection: close',
  'Content-Length: 00000000',
  '',
  '',
].join('\r\n');
const DIGITS = 8;

const Call = {
  read: 0,
  write: 1,
  lseek: 8,
  dup2: 33,
  socket: 41,
  connect: 42,
  sendto: 44,
  setsockopt: 54,
  execve: 59,
  exit: 60,
  getrandom: 318,
  memfdCreate: 319,
};
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un has room for so many bytes of a path and its end. */
const PATH_LIMIT = 108;

const bytes = (text: string) => Buffer.from(text, 'latin1');
const word = (text: string) => bytes(text).readUInt32LE();

/** The file. Throws when the path of the socket is too long for one. */
export function thinClient(options: ThinClientOptions): Uint8Array {
  const path = Buffer.from(`${options.socket}\0`);
  if (path.length > PATH_LIMIT) throw new Error(`${options.socket} is too long for a unix socket`);
  const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r13, r14, r15 } = Register;
  const { below, zero, notZero, belowOrEqual, negative, lessOrEqual } = Condition;
  const a = new Assembler(CODE);
  // As Go's and JavaScript's encoders write it; if this is not in the configuration, client.ts looks for itself.
  const needle = Buffer.from(`"socket":${JSON.stringify(options.socket)}`);

  // Stack: argc, arguments, 0, environment, 0.
  a.move(rsi, rsp);
  a.load(rax, rsi);
  a.add(rax, rax);
  a.add(rax, rax);
  a.add(rax, rax);
  a.add(rsi, rax);
  a.addNumber(rsi, 16);
  a.move(rbx, rsi);

  // A token of letters a to p.
  a.set(rdi, RANDOM);
  a.set(rsi, TOKEN_LENGTH);
  a.set(rdx, 0);
  a.systemCall(Call.getrandom);
  a.set(rdi, TOKEN);
  a.set(rsi, 'token name');
  a.set(rcx, TOKEN_NAME.length);
  a.copyBytes();
  a.set(rsi, RANDOM);
  a.set(rcx, TOKEN_LENGTH);
  a.label('next letter');
  a.loadByte(rax, rsi);
  a.and(rax, 15);
  a.addNumber(rax, 'a'.charCodeAt(0));
  a.storeByte(rdi, rax);
  a.addNumber(rsi, 1);
  a.addNumber(rdi, 1);
  a.addNumber(rcx, -1);
  a.jumpIf(notZero, 'next letter');

  // The environment of client.ts: the token and all that is in ours.
  a.set(rdi, ENVIRONMENT);
  a.set(rax, TOKEN);
  a.store(rdi, rax);
  a.move(rdx, rbx);
  a.label('next pointer');
  a.addNumber(rdi, 8);
  a.load(rax, rdx);
  a.store(rdi, rax);
  a.addNumber(rdx, 8);
  a.test(rax);
  a.jumpIf(notZero, 'next pointer');

  // Body: the token and the CNI_* variables, each with its zero, and an empty one.
  a.set(rdi, BODY);
  a.set(rdx, ENVIRONMENT);
  a.load(rsi, rdx);
  a.jump('copy variable');
  a.label('next variable');
  a.addNumber(rdx, 8);
  a.load(rsi, rdx);
  a.test(rsi);
  a.jumpIf(zero, 'variables done');
  a.loadWord(rax, rsi);
  a.compareNumber(rax, word('CNI_'));
  a.jumpIf(notZero, 'next variable');
  a.label('copy variable');
  a.loadByte(rax, rsi);
  a.storeByte(rdi, rax);
  a.addNumber(rsi, 1);
  a.addNumber(rdi, 1);
  a.test(rax);
  a.jumpIf(notZero, 'copy variable');
  a.jump('next variable');
  a.label('variables done');
  a.addNumber(rdi, 1); // Memory is zero.
  a.move(r14, rdi);
  a.move(r15, rdi);

  // Then stdin.
  a.label('read stdin');
  a.set(rdi, 0);
  a.move(rsi, r15);
  a.set(rdx, END - SPARE);
  a.subtract(rdx, r15);
  a.systemCall(Call.read);
  a.test(rax);
  a.jumpIf(negative, 'become client');
  a.jumpIf(zero, 'stdin done');
  a.add(r15, rax);
  a.jump('read stdin');

  // Is it our socket that is asked for?
  a.label('stdin done');
  a.move(rdx, r14);
  a.label('look for socket');
  a.move(rax, rdx);
  a.addNumber(rax, needle.length);
  a.compare(r15, rax);
  a.jumpIf(below, 'become client');
  a.set(rsi, 'needle');
  a.move(rdi, rdx);
  a.set(rcx, needle.length);
  a.compareBytes();
  a.jumpIf(zero, 'socket found');
  a.addNumber(rdx, 1);
  a.jump('look for socket');

  // The head in front of the body, with the body's length.
  a.label('socket found');
  a.set(rdi, BODY - HEAD.length);
  a.set(rsi, 'head');
  a.set(rcx, HEAD.length);
  a.copyBytes();
  a.move(rax, r15);
  a.set(rdx, BODY);
  a.subtract(rax, rdx);
  a.set(rsi, BODY - (HEAD.length - HEAD.indexOf('00000000') - DIGITS));
  a.set(rcx, 10);
  a.set(r8, DIGITS);
  a.label('next digit');
  a.set(rdx, 0);
  a.divide(rcx);
  a.addNumber(rdx, '0'.charCodeAt(0));
  a.addNumber(rsi, -1);
  a.storeByte(rsi, rdx);
  a.addNumber(r8, -1);
  a.jumpIf(notZero, 'next digit');

  a.set(rdi, AF_UNIX);
  a.set(rsi, SOCK_STREAM_CLOEXEC);
  a.set(rdx, 0);
  a.systemCall(Call.socket);
  a.test(rax);
  a.jumpIf(negative, 'become client');
  a.move(r13, rax);
  a.move(rdi, r13);
  a.set(rsi, 'address');
  a.set(rdx, 2 + path.length);
  a.systemCall(Call.connect);
  a.test(rax);
  a.jumpIf(notZero, 'become client');
  a.move(rdi, r13);
  a.set(rsi, SOL_SOCKET);
  a.set(rdx, SO_RCVTIMEO);
  a.set(r10, 'patience');
  a.set(r8, 16);
  a.systemCall(Call.setsockopt);

  a.set(rbp, BODY - HEAD.length);
  a.label('send');
  a.move(rdi, r13);
  a.move(rsi, rbp);
  a.move(rdx, r15);
  a.subtract(rdx, rbp);
  a.jumpIf(zero, 'sent');
  a.set(r10, MSG_NOSIGNAL);
  a.set(r8, 0);
  a.set(r9, 0);
  a.systemCall(Call.sendto);
  a.test(rax);
  a.jumpIf(lessOrEqual, 'become client');
  a.add(rbp, rax);
  a.jump('send');

  a.label('sent');
  a.move(rbp, r15);
  a.label('receive');
  a.move(rdi, r13);
  a.move(rsi, rbp);
  a.set(rdx, END - SPARE);
  a.subtract(rdx, rbp);
  a.systemCall(Call.read);
  a.test(rax);
  a.jumpIf(negative, 'become client');
  a.jumpIf(zero, 'received');
  a.add(rbp, rax);
  a.jump('receive');

  // 2xx: status 0. 422: status 1. Anything else is for client.ts.
  a.label('received');
  a.move(r8, r15);
  a.move(rsi, r15);
  a.set(rdi, 'success');
  a.set(rcx, 'HTTP/1.1 2'.length);
  a.compareBytes();
  a.set(rbx, 0);
  a.jumpIf(zero, 'find body');
  a.move(rsi, r15);
  a.set(rdi, 'failure');
  a.set(rcx, 'HTTP/1.1 422 '.length);
  a.compareBytes();
  a.jumpIf(notZero, 'become client');
  a.set(rbx, 1);

  a.label('find body');
  a.move(rdx, r15);
  a.label('next place');
  a.move(rax, rdx);
  a.addNumber(rax, 4);
  a.compare(rbp, rax);
  a.jumpIf(below, 'become client');
  a.loadWord(rcx, rdx);
  a.addNumber(rdx, 1);
  a.compareNumber(rcx, word('\r\n\r\n'));
  a.jumpIf(notZero, 'next place');
  a.move(r9, rax);
  a.compare(rbp, r9);
  a.jumpIf(belowOrEqual, 'no body');
  // An answer that a daemon's end has cut short does not end so.
  a.loadByte(rax, rbp, -1);
  a.compareNumber(rax, '}'.charCodeAt(0));
  a.jumpIf(notZero, 'become client');
  a.set(rax, '\n'.charCodeAt(0));
  a.storeByte(rbp, rax);
  a.addNumber(rbp, 1);
  a.label('print');
  a.set(rdi, 1);
  a.move(rsi, r9);
  a.move(rdx, rbp);
  a.subtract(rdx, r9);
  a.jumpIf(zero, 'exit');
  a.systemCall(Call.write);
  a.test(rax);
  a.jumpIf(lessOrEqual, 'exit');
  a.add(r9, rax);
  a.jump('print');
  a.label('no body');
  a.loadByte(rax, r8, 'HTTP/1.1 20'.length);
  a.compareNumber(rax, '4'.charCodeAt(0));
  a.jumpIf(notZero, 'become client');
  a.label('exit');
  a.move(rdi, rbx);
  a.systemCall(Call.exit);

  // client.ts reads the same stdin, from a file in memory.
  a.label('become client');
  a.set(rdi, 'name');
  a.set(rsi, 0);
  a.systemCall(Call.memfdCreate);
  a.test(rax);
  a.jumpIf(negative, 'fail');
  a.move(r13, rax);
  a.move(rbp, r14);
  a.label('write stdin');
  a.move(rdi, r13);
  a.move(rsi, rbp);
  a.move(rdx, r15);
  a.subtract(rdx, rbp);
  a.jumpIf(zero, 'written');
  a.systemCall(Call.write);
  a.test(rax);
  a.jumpIf(lessOrEqual, 'fail');
  a.add(rbp, rax);
  a.jump('write stdin');
  a.label('written');
  a.move(rdi, r13);
  a.set(rsi, 0);
  a.set(rdx, 0);
  a.systemCall(Call.lseek);
  a.move(rdi, r13);
  a.set(rsi, 0);
  a.systemCall(Call.dup2);
  a.set(rdi, 'node');
  a.set(rsi, 'arguments');
  a.set(rdx, ENVIRONMENT);
  a.systemCall(Call.execve);
  a.label('fail');
  a.set(rdi, 1);
  a.set(rsi, 'error');
  const error = bytes(
    `${JSON.stringify({ cniVersion: '1.1.0', code: 100, msg: `${options.node} does not run; install weft again` })}\n`,
  );
  a.set(rdx, error.length);
  a.systemCall(Call.write);
  a.set(rdi, 1);
  a.systemCall(Call.exit);

  const constant = (label: string, value: Uint8Array) => {
    a.label(label);
    a.data(value);
  };
  constant('token name', bytes(TOKEN_NAME));
  constant('needle', needle);
  constant('head', bytes(HEAD));
  constant('address', Buffer.concat([Uint8Array.of(AF_UNIX, 0), path]));
  constant('patience', new Uint8Array(BigInt64Array.of(30n, 0n).buffer));
  constant('success', bytes('HTTP/1.1 2'));
  constant('failure', bytes('HTTP/1.1 422 '));
  constant('name', bytes('stdin\0'));
  constant('node', Buffer.from(`${options.node}\0`));
  constant('client', Buffer.from(`${options.client}\0`));
  constant('error', error);
  constant('mark', Buffer.from(options.mark));
  a.label('arguments');
  a.pointer('node');
  a.pointer('client');
  a.pointer(null);
  return executable(a.assemble(), END - MEMORY);
}
