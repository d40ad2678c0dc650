/**
 * Data between pods, checked by hash: a program of Python at either end, so that no code of Weft vouches for itself. They
 * are kept here as text, because a package holds compiled sources only.
 */
import { Namespace } from './namespace.ts';

export interface End {
  /** Of its network namespace. */
  readonly namespace: string;
}

export interface Target extends End {
  readonly address: string;
  /** One that nobody else uses there at the time. */
  readonly port: number;
}

/** How long one exchange may take, milliseconds. */
const PATIENCE_MS = 20_000;

async function run({ namespace }: End, program: string, ...args: (string | number)[]): Promise<string> {
  const words = ['-c', COMMON + program, ...args.map(String)];
  return (await Namespace.named(namespace).runLater('python3', words, PATIENCE_MS)).trim();
}

async function both(from: End, to: Target, server: string, client: string, size: number): Promise<string[]> {
  const { address, port } = to;
  return Promise.all([run(to, server, address, port, size), run(from, client, address, port, size)]);
}

/** @returns whether what arrived has the hash of what was sent */
export async function sendStream(from: End, to: Target, bytes: number): Promise<boolean> {
  const [arrived, sent] = await both(from, to, TCP_SERVER, TCP_CLIENT, bytes);
  return arrived === sent && /^[0-9a-f]{64}$/.test(sent);
}

export interface Datagrams {
  readonly arrived: number;
  /** Whether those that arrived are what was sent. */
  readonly intact: boolean;
}

/** Of 1200 random bytes each, at a pace that any receiver can keep. */
export async function sendDatagrams(from: End, to: Target, count: number): Promise<Datagrams> {
  const [arrived, sent] = await both(from, to, UDP_SERVER, UDP_CLIENT, count);
  const expected = sent.split('\n');
  const got = new Map(arrived.split('\n').map((line) => line.split(' ') as [string, string]));
  return { arrived: got.size, intact: [...got].every(([number, hash]) => expected[Number(number)] === hash) };
}

/** Serves `connections` TCP connections, each of which is told the address that it comes from. */
export const serveAddress = (at: Target, connections: number): Promise<string> =>
  run(at, ADDRESS_SERVER, at.address, at.port, connections);

/** @returns the address under which the server sees the client */
export const askAddress = (from: End, { address, port }: Omit<Target, 'namespace'>): Promise<string> =>
  run(from, ADDRESS_CLIENT, address, port, 0);

const COMMON = `
import hashlib, os, socket, sys, time
at, size = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
def listen():
  s = socket.socket(family)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  s.settimeout(8)
  s.bind(at)
  s.listen(64)
  return s
def connect():
  for n in range(200):
    try: return socket.create_connection(at, timeout=5)
    except ConnectionRefusedError: time.sleep(0.05)
  sys.exit("nobody listens")
def sha(data): return hashlib.sha256(data).hexdigest()
`;
const TCP_SERVER = `
c, peer = listen().accept()
c.settimeout(8)
h = hashlib.sha256()
while data := c.recv(1 << 16): h.update(data)
print(h.hexdigest())
`;
const TCP_CLIENT = `
data = os.urandom(size)
c = connect()
c.sendall(data)
c.shutdown(socket.SHUT_WR)
c.recv(1)
print(sha(data))
`;
// SO_RCVBUFFORCE (33): all of it fits, however late the server's turn comes.
const UDP_SERVER = `
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
s.settimeout(8)
s.bind(at)
got = {}
while True:
  data, peer = s.recvfrom(1 << 16)
  if data == b"hello": s.sendto(b"ready", peer)
  elif data == b"end": s.sendto(b"done", peer); break
  else: got.setdefault(int.from_bytes(data[:4], "big"), sha(data))
print("\\n".join(f"{n} {h}" for n, h in got.items()))
`;
const UDP_CLIENT = `
s = socket.socket(family, socket.SOCK_DGRAM)
s.connect(at)
s.settimeout(0.1)
def ask(word, answer):
  for n in range(100):
    try:
      s.send(word)
      if s.recv(100) == answer: return
    except ConnectionRefusedError:
      if word == b"end": return
      time.sleep(0.05)
    except TimeoutError: pass
  sys.exit("no answer")
ask(b"hello", b"ready")
sent = [n.to_bytes(4, "big") + os.urandom(1196) for n in range(size)]
for n, data in enumerate(sent):
  s.send(data)
  if n % 25 == 24: time.sleep(0.001)
ask(b"end", b"done")
print("\\n".join(map(sha, sent)))
`;
const ADDRESS_SERVER = `
s = listen()
for n in range(size):
  c, peer = s.accept()
  c.sendall(peer[0].encode())
  c.close()
`;
const ADDRESS_CLIENT = `
print(connect().recv(100).decode())
`;
