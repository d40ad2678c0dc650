// What a router owes the senders behind it: hops, sizes, refusals; pods' kernels and their tools are who asks.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { type Pair, podAddress, weftAndWeft } from '../support/pods.ts';
import { echoUdp, exchangeTcp } from '../support/traffic.ts';
import type { Family } from '../support/underlay.ts';

const FAMILIES: Family[] = [4, 6];
const PATH_MTU = 1450;

let run: Run;
let pair: Pair;
beforeAll(async () => {
  run = new Run();
  // Pods may send more than the way ahead takes, so that they have to learn it.
  const larger = (n: number) => ({ pods: { cidrs: [`10.244.${n}.0/24`, `fd00:244:${n}::/64`], mtu: 1500 } });
  pair = await weftAndWeft(run, { config: larger(1), otherConfig: larger(2) });
});
afterAll(() => run?.close());

describe.each(FAMILIES)('IPv%d', (family) => {
  it('shows both nodes as hops to traceroute', () => {
    const { here, there } = pair;
    // One probe at a time: the kernel at the end limits how many it answers.
    const args = [`-${family}`, '-n', '-q', '1', '-N', '1', '-w', '2', there.ip(family)];
    const output = here.namespace.run('traceroute', ...args);
    const hops = output
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/)[1]);
    expect(hops).toEqual([podAddress(1, 1, family), podAddress(2, 1, family), there.ip(family)]);
  });

  it('tells a sender the MTU, and its kernel remembers it', async () => {
    const { here, there } = pair;
    const size = String(1500 - (family === 4 ? 28 : 48));
    const said = await here.namespace
      .runLater('ping', ['-n', '-c', '1', '-W', '1', '-M', 'do', '-s', size, there.ip(family)])
      .catch((error) => error.stdout as string);
    expect(said).toContain(`From ${podAddress(1, 1, family)}`);
    expect(said).toMatch(
      new RegExp(
        family === 4 ? `Frag needed and DF set \\(mtu = ${PATH_MTU}\\)` : `Packet too big: mtu=${PATH_MTU}`,
      ),
    );
    const route = here.namespace.ip(`route get ${there.ip(family)}`);
    expect(route).toContain(`mtu ${PATH_MTU}`);
  });

  it('lets TCP find its way with the MTU too large', async () => {
    await exchangeTcp(pair.there, pair.here, family, 4 << 20);
  });

  it('says that there is nobody at an address of a pod range', () => {
    const program =
      'import socket,sys,errno\ns=socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)\ns.settimeout(5)\nprint(errno.errorcode[s.connect_ex((sys.argv[1],80))])';
    const answer = pair.here.namespace.run('python3', '-c', program, podAddress(1, 200, family));
    expect(['EHOSTUNREACH', 'ENETUNREACH']).toContain(answer.trim());
  });
});

it('fragments what may be fragmented, and the other end puts it together', async () => {
  const sizes = [1400, 1423, 1472, 1473, 3000, 9000, 65507];
  await echoUdp(pair.here, pair.there, 4, sizes, 'fragment');
  await echoUdp(pair.there, pair.here, 4, sizes, 'fragment');
});
