import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { libc } from '../../sys/libc.ts';
import { inNamespace } from '../../sys/netns.ts';
import { links, openRtnetlink, qdiscs } from '../../sys/rtnetlink.ts';
import { openTunQueue } from '../../sys/tun.ts';
import { ipJson, makeNamespace, sysErrorOf } from './support.ts';

const disciplines = (namespace: string): string[] =>
  JSON.parse(
    execFileSync('tc', ['-n', namespace.slice('/run/netns/'.length), '-j', 'qdisc', 'show'], {
      encoding: 'utf8',
    }),
  )
    .filter(({ dev }: { dev: string }) => dev === 'tun0')
    .map(({ kind }: { kind: string }) => kind);

test('a link of many queues comes up without a discipline when it is taken away before', () => {
  const namespace = makeNamespace();
  const { fd } = inNamespace(namespace, () => openTunQueue({ name: 'tun0' }));
  const rtnetlink = openRtnetlink(namespace);
  const { index } = rtnetlink.get(links.byName('tun0'));
  rtnetlink.run(qdiscs.replaceByNone(index), links.change(index, { up: true }));
  expect(disciplines(namespace)).toEqual(['noqueue']);
  expect(ipJson(namespace, 'link', 'show', 'tun0')[0].qdisc).toBe('noqueue');
  rtnetlink.close();
  libc.close(fd);
});

test('the error for a link that is not there says so', () => {
  const rtnetlink = openRtnetlink(makeNamespace());
  const error = sysErrorOf(() => rtnetlink.run(qdiscs.replaceByNone(4711)));
  expect(error.code).toBe('ENODEV');
  expect(error.message).toContain('there is no such link');
  rtnetlink.close();
});
