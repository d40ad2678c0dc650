/** Flame graphs: what perf and V8 print becomes stacks, and stacks become one drawing. */
import { describe, expect, it } from 'vitest';
import { flameGraph } from '../../bench/profile/flame.ts';
import { foldedText, joined, stacksOfPerf, stacksOfV8, total } from '../../bench/profile/stacks.ts';

const PERF = `node 4711 
	ffffffff81234567 __skb_udp_tunnel_segment ([kernel.kallsyms])
	ffffffff81230000 veth_xmit ([veth])
	    7f0012345678 __sendmmsg+0x1c (/usr/lib/x86_64-linux-gnu/libc.so.6)
	    7f00aaaa0000 JS:*send file:///srv/weft/dist/engine/tunnel-sender.js:88:7 (/tmp/perf-4711.map)
	    7f00aaaa1000 JS:~file:///srv/weft/dist/engine/worker.js:9:1 ([JIT] tid 4711)
	          c0ffee [unknown] (/usr/bin/node)

node 4711 
	ffffffff81230000 veth_xmit ([veth])

V8 Worker;2 4712 
	          c0ffee v8::internal::Heap::Collect(int) (/usr/bin/node)
`;

describe('stacks of perf', () => {
  const stacks = stacksOfPerf(PERF);

  it('are by thread, from the outermost inwards, and say whose code it is', () => {
    expect([...stacks.keys()][0].split(';')).toEqual([
      'node 4711',
      '[node]',
      '(anonymous) engine/worker.js:9_[j]',
      'send engine/tunnel-sender.js:88_[j]',
      '__sendmmsg',
      'veth_xmit_[k]',
      '__skb_udp_tunnel_segment_[k]',
    ]);
    expect(total(stacks)).toBe(3);
  });

  it('have no separator within a name', () => {
    expect([...stacks.keys()][2]).toBe('V8 Worker:2 4712;v8::internal::Heap::Collect(int)');
    expect(foldedText(stacks).trim().split('\n')).toHaveLength(3);
    expect(foldedText(stacks)).toMatch(/^V8 Worker:2 4712;.* 1$/m);
  });

  it('are none where nothing was sampled', () => {
    expect(total(stacksOfPerf(''))).toBe(0);
  });
});

describe('stacks of V8', () => {
  const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3], hitCount: 1 },
      { id: 2, callFrame: frame('(idle)'), hitCount: 100 },
      { id: 3, callFrame: frame('', 'file:///srv/dist/engine/worker.js', 8), children: [4], hitCount: 2 },
      { id: 4, callFrame: frame('send', 'file:///srv/dist/engine/send.js', 0), hitCount: 5 },
    ],
  };

  it('leave idle time out', () => {
    const stacks = stacksOfV8(profile, 'thread 1');
    expect(Object.fromEntries(stacks)).toEqual({
      'thread 1;(anonymous) engine/worker.js:9_[j]': 2,
      'thread 1;(anonymous) engine/worker.js:9_[j];send engine/send.js:1_[j]': 5,
    });
    expect(total(joined([stacks, stacks, stacksOfV8(profile, 'thread 2')]))).toBe(21);
  });
});

describe('flame graph', () => {
  const svg = flameGraph('A & B', new Map([['t;a_[k]', 3], ['t;b<c>_[j]', 1]])); // biome-ignore format: short

  it('has a box for each frame, as wide as its share', () => {
    const boxes = [...svg.matchAll(/<title>([^<]*)<\/title><rect [^>]* width="([\d.]+)"/g)];
    const width = (name: string) => Number(boxes.find(([, text]) => text.startsWith(name))?.[2]);
    expect(boxes.map(([, text]) => text)).toEqual([
      'all, 4 samples: 100.00 %',
      't: 100.00 %',
      'a: 75.00 %',
      'b&lt;c&gt;: 25.00 %',
    ]);
    // Less the gap between boxes.
    expect(width('a:') / width('b&lt;')).toBeGreaterThan(2.9);
    expect(width('a:') / width('b&lt;')).toBeLessThan(3.1);
  });

  it('is one SVG with another colour of text on dark ground', () => {
    expect(svg).toMatch(/^<svg .*aria-label="A &amp; B"/);
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg.trim().endsWith('</svg>')).toBe(true);
  });

  it('draws what nothing was sampled of', () => {
    expect(flameGraph('empty', new Map())).toContain('all, 0 samples');
  });
});
