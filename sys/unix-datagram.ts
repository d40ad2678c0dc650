/** One message to a unix datagram socket, which Node's own modules cannot send (sd_notify(3) wants it). */
import { check } from './errors.ts';
import { libc, O_CLOEXEC, O_NONBLOCK } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_NOSIGNAL = 0x4000;
/** sun_path of struct sockaddr_un (man 7 unix). */
const PATH_MAX = 108;

/** @param path of a file, or a name in the abstract name space, written with '@' in front. Does not wait. */
export function sendUnixDatagram(path: string, message: string): void {
  const doing = `sending to the unix socket ${path}`;
  const sockaddr = unixSockaddr(path);
  const fd = check(libc.socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC | O_NONBLOCK, 0), 'socket', doing);
  try {
    check(libc.connect(fd, sockaddr, sockaddr.length), 'connect', doing);
    const bytes = new TextEncoder().encode(message);
    check(libc.send(fd, bytes, bytes.length, MSG_NOSIGNAL), 'send', doing);
  } finally {
    libc.close(fd);
  }
}

/** u16 family | path: with a final zero that of a file, with a zero in front and none behind an abstract name. */
function unixSockaddr(path: string): Uint8Array {
  const isAbstract = path.startsWith('@');
  const name = new TextEncoder().encode(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > PATH_MAX)
    throw new RangeError(`${path}: a unix socket's path has at most ${PATH_MAX - 1} bytes`);
  const sockaddr = new Uint8Array(2 + name.length);
  new DataView(sockaddr.buffer).setUint16(0, AF_UNIX, true);
  sockaddr.set(name, 2);
  return sockaddr;
}
