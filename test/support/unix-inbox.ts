/** A unix datagram socket that tests listen on: what systemd has in NOTIFY_SOCKET. Node has none. */
import { check } from '../../sys/errors.ts';
import { libc, O_NONBLOCK } from '../../sys/libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

export interface Inbox {
  /** What has arrived since the last call. */
  read(): string[];
  close(): void;
}

/** @param name a path, or '@' and an abstract name */
export function datagramInbox(name: string): Inbox {
  const path = name.startsWith('@') ? `\0${name.slice(1)}` : `${name}\0`;
  const sockaddr = Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), Buffer.from(path)]);
  const fd = check(libc.socket(AF_UNIX, SOCK_DGRAM | O_NONBLOCK, 0), 'socket', 'opening an inbox');
  check(libc.bind(fd, sockaddr, sockaddr.length), 'bind', `binding an inbox to ${name}`);
  const buffer = new Uint8Array(4096);
  return {
    read() {
      const messages: string[] = [];
      for (;;) {
        const length = libc.recv(fd, buffer, buffer.length, 0);
        if (length < 0) return messages;
        messages.push(new TextDecoder().decode(buffer.subarray(0, length)));
      }
    },
    close: () => void libc.close(fd),
  };
}
