import { expect, it } from 'vitest';
import {
  type KernelWay,
  type LearnedWay,
  type Resolution,
  resolveNextHop,
  type Ways,
} from '../../routing/next-hops.ts';
import { PrefixMap } from '../../routing/prefix-map.ts';
import { addressEquals, formatAddress, parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';

const hop = (gateway: string | undefined, index = 2) => ({
  ...(gateway !== undefined && { gateway: parseAddress(gateway) }),
  interface: index,
});

function network(
  kernel: Readonly<Record<string, KernelWay['hops']>>,
  learned: Readonly<Record<string, string | readonly string[]>> = {},
) {
  const [kernelWays, learnedWays] = [new PrefixMap<KernelWay>(), new PrefixMap<LearnedWay>()];
  for (const [to, hops] of Object.entries(kernel)) kernelWays.set(parsePrefix(to), { hops });
  for (const [to, via] of Object.entries(learned)) {
    const tunnelled = via === 'tunnel';
    const nextHops = tunnelled ? ['192.0.2.9'] : [via].flat();
    learnedWays.set(parsePrefix(to), {
      nextHops: nextHops.map((each) => ({ address: parseAddress(each) })),
      tunnelled,
    });
  }
  const own = parseAddress('192.0.2.1');
  const ways: Ways = {
    isOwn: (address) => addressEquals(address, own),
    kernel: (address) => kernelWays.covering(address),
    learned: (address) => learnedWays.covering(address),
  };
  return (address: string) => text(resolveNextHop({ address: parseAddress(address) }, ways));
}

const text = (resolution: Resolution): string =>
  'why' in resolution
    ? resolution.why
    : `${resolution.vias.map((via) => `${formatAddress(via.address)}${via.interface === 2 ? '' : `%${via.interface}`}`)} at ${resolution.cost}`;

const LINK = { '192.0.2.0/24': [hop(undefined)] };

it.each<[string, Parameters<typeof network>, string, string]>([
  ['on a link of the node', [LINK], '192.0.2.7', '192.0.2.7 at 0'],
  ['through a router', [{ ...LINK, '0.0.0.0/0': [hop('192.0.2.254')] }], '10.0.0.1', '192.0.2.254 at 1'],
  [
    'through several',
    [{ '10.0.0.0/8': [hop('192.0.2.253'), hop('192.0.2.254')] }],
    '10.0.0.1',
    '192.0.2.253,192.0.2.254 at 1',
  ],
  [
    'through a router on a link-local address',
    [{ '::/0': [hop('fe80::1', 5)] }],
    'fd00::9',
    'fe80::1%5 at 1',
  ],
  ['over a learned route', [LINK, { '10.0.0.0/24': '192.0.2.7' }], '10.0.0.1', '192.0.2.7 at 1'],
  [
    'over a learned route over a learned route',
    [LINK, { '10.0.0.0/24': '10.1.0.1', '10.1.0.0/16': ['192.0.2.7', '192.0.2.8'] }],
    '10.0.0.1',
    '192.0.2.7,192.0.2.8 at 2',
  ],
  ['nowhere', [LINK], '10.0.0.1', 'no route to 10.0.0.1'],
  ['to the node itself', [LINK], '192.0.2.1', '192.0.2.1 is an address of this node'],
  [
    'into a hole',
    [{ ...LINK, '10.0.0.0/8': [] }],
    '10.0.0.1',
    "the node's table has no way to 10.0.0.1 (10.0.0.0/8)",
  ],
  [
    'into a tunnel',
    [LINK, { '10.0.0.0/8': 'tunnel' }],
    '10.0.0.1',
    'the way to it leads through a tunnel (10.0.0.0/8)',
  ],
  [
    'by the longest prefix, whoever has it',
    [{ ...LINK, '10.0.0.0/8': [hop('192.0.2.254')] }, { '10.0.0.0/24': '192.0.2.7' }],
    '10.0.0.1',
    '192.0.2.7 at 1',
  ],
  [
    'by the kernel where both have the prefix',
    [{ ...LINK, '10.0.0.0/24': [hop('192.0.2.254')] }, { '10.0.0.0/24': '192.0.2.7' }],
    '10.0.0.1',
    '192.0.2.254 at 1',
  ],
  [
    'past a learned route that does not resolve itself',
    [{ ...LINK, '10.0.0.0/8': [hop('192.0.2.254')] }, { '10.0.0.0/24': '172.16.0.1' }],
    '10.0.0.1',
    '192.0.2.254 at 1',
  ],
])('%s', (_, [kernel, learned], nextHop, expected) => {
  expect(network(kernel, learned)(nextHop)).toBe(expected);
});

it('two routes do not hold each other up', () => {
  const resolve = network(LINK, { '10.1.0.0/16': '10.2.0.1', '10.2.0.0/16': '10.1.0.1' });
  expect(resolve('10.1.0.1')).toBe('no route to 10.1.0.1');
  expect(resolve('10.2.0.1')).toBe('no route to 10.2.0.1');
  const own = network(LINK, { '10.1.0.0/16': '10.1.0.1' });
  expect(own('10.1.0.1')).toBe('no route to 10.1.0.1');
});

it('endless chains of learned routes end', () => {
  const learned = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`10.${n}.0.0/16`, [`10.${n + 1}.0.1`, `10.${n + 2}.0.1`]]),
  );
  expect(network({}, learned)('10.0.0.1')).toBe('no route to 10.0.0.1');
});
