/** What has to hold in a fabric, seen from its pods with the programs that everyone has. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './namespace.ts';
import type { LabNode, LabPod } from './three-nodes.ts';

export interface Check {
  readonly name: string;
  /** Resolves with what was found, for people; rejects with what is wrong. */
  run(): Promise<string>;
}

const TRANSFER_BYTES = 8 << 20;
const DATAGRAMS_BYTES = 1200;
const PORT = 7777;

/** @param folder for the files that are sent */
export function checksOf(nodes: readonly LabNode[], folder: string): Check[] {
  const pods = nodes.flatMap((node) => node.pods);
  const first = nodes.map((node) => node.pods[0]);
  const pairs = first.flatMap((a) => first.filter((b) => b !== a).map((b) => [a, b] as const));
  return [
    { name: 'ping IPv4, all pairs', run: () => pingAll(pods, 'v4') },
    { name: 'ping IPv6, all pairs', run: () => pingAll(pods, 'v6') },
    ...(['v4', 'v6'] as const).map((family) => ({
      name: `TCP IP${family}, between all nodes`,
      run: async () => {
        for (const [a, b] of pairs) await transfer(a, b[family], b.namespace, 'tcp', folder);
        return `${pairs.length} transfers of ${TRANSFER_BYTES >> 20} MiB, SHA-256 equal`;
      },
    })),
    ...(['v4', 'v6'] as const).map((family) => ({
      name: `UDP IP${family}, between all nodes`,
      run: async () => {
        for (const [a, b] of pairs) await transfer(a, b[family], b.namespace, 'udp', folder);
        return `${pairs.length} datagrams of ${DATAGRAMS_BYTES} bytes, SHA-256 equal`;
      },
    })),
    ...(['v4', 'v6'] as const).map((family) => ({
      name: `traceroute IP${family}`,
      run: () => trace(first[0], first[1], family),
    })),
  ];
}

async function pingAll(pods: readonly LabPod[], family: 'v4' | 'v6'): Promise<string> {
  const pairs = pods.flatMap((a) => pods.filter((b) => b !== a).map((b) => [a, b] as const));
  await Promise.all(
    pairs.map(([a, b]) =>
      a.namespace.runLater('ping', ['-c', '2', '-i', '0.2', '-W', '2', b[family]]).catch(() => {
        throw new Error(`${a.name} gets no answer from ${b.name} (${b[family]})`);
      }),
    ),
  );
  return `${pairs.length} pairs`;
}

/** Random bytes to a program of Python at the other end, which says their SHA-256. */
async function transfer(
  from: LabPod,
  to: string,
  at: Namespace,
  kind: 'tcp' | 'udp',
  folder: string,
): Promise<void> {
  const bytes = randomBytes(kind === 'tcp' ? TRANSFER_BYTES : DATAGRAMS_BYTES);
  const file = join(folder, `${from.name}-${kind}`);
  writeFileSync(file, bytes);
  const server = at.runLater(
    'python3',
    ['-c', kind === 'tcp' ? TCP_SERVER : UDP_SERVER, to, String(PORT)],
    20_000,
  );
  await from.namespace.runLater(
    'python3',
    ['-c', kind === 'tcp' ? TCP_CLIENT : UDP_CLIENT, to, String(PORT), file],
    20_000,
  );
  const wanted = createHash('sha256').update(bytes).digest('hex');
  const got = (await server).trim();
  if (got !== wanted)
    throw new Error(`${kind} from ${from.name} to ${to}: SHA-256 ${got} instead of ${wanted}`);
}

const HEAD =
  'import hashlib,socket,sys,time\nf=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET\na=(sys.argv[1],int(sys.argv[2]))\n';
const TCP_SERVER = `${HEAD}s=socket.socket(f);s.setsockopt(1,2,1);s.settimeout(15);s.bind(a);s.listen();c,_=s.accept();c.settimeout(15);h=hashlib.sha256()
while True:
  d=c.recv(65536)
  if not d: break
  h.update(d)
print(h.hexdigest())`;
const TCP_CLIENT = `${HEAD}for n in range(100):
  try: c=socket.create_connection(a,timeout=10);break
  except ConnectionRefusedError: time.sleep(0.05)
c.sendall(open(sys.argv[3],"rb").read());c.close()`;
const UDP_SERVER = `${HEAD}s=socket.socket(f,socket.SOCK_DGRAM);s.settimeout(15);s.bind(a);d,p=s.recvfrom(65536);s.sendto(b"ok",p);print(hashlib.sha256(d).hexdigest())`;
const UDP_CLIENT = `${HEAD}s=socket.socket(f,socket.SOCK_DGRAM);s.settimeout(0.2);s.connect(a);d=open(sys.argv[3],"rb").read()
for n in range(50):
  try: s.send(d);s.recv(100);break
  except (TimeoutError,ConnectionRefusedError): time.sleep(0.05)
else: sys.exit("no answer")`;

async function trace(from: LabPod, to: LabPod, family: 'v4' | 'v6'): Promise<string> {
  const target = to[family];
  const output = await from.namespace.runLater('traceroute', ['-n', '-q', '1', '-w', '1', '-m', '6', target]);
  const hops = [...output.matchAll(/^\s*\d+\s+(\S+)/gm)].map((match) => match[1]);
  if (hops.at(-1) !== target || hops.length < 2 || hops.includes('*')) {
    throw new Error(`from ${from.name} to ${target} the hops are ${hops.join(' → ') || 'none'}`);
  }
  return hops.join(' → ');
}
