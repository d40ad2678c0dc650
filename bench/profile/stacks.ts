/**
 * Samples of call stacks, added up: from what `perf script` prints and from V8's own profiles. Pure. The folded form, a line
 * `outermost;…;innermost count` each, is what flame graph tools read (speedscope, inferno, flamegraph.pl).
 */

/** Frames from the outermost inwards, joined by ';', and how often they were met. */
export type Stacks = ReadonlyMap<string, number>;

export const foldedText = (stacks: Stacks): string =>
  [...stacks]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([stack, count]) => `${stack} ${count}\n`)
    .join('');

export const total = (stacks: Stacks): number => [...stacks.values()].reduce((sum, count) => sum + count, 0);

/** Marks of frames by where their code is, as flame graph tools know them. */
export const Mark = { kernel: '_[k]', script: '_[j]' } as const;

/**
 * Of `perf script --fields comm,tid,ip,sym,dso`: a line that names the thread, a line a frame from the innermost outwards,
 * an empty line.
 */
export function stacksOfPerf(text: string): Stacks {
  const stacks = new Map<string, number>();
  for (const sample of text.split(/\n\s*\n/)) {
    const [head, ...lines] = sample.split('\n').filter((line) => line.trim() !== '');
    const thread = /^(.*\S)\s+(\d+)\s*$/.exec(head ?? '');
    if (!thread || lines.length === 0) continue;
    const frames = lines.map(frameOfPerf).reverse();
    add(stacks, [clean(`${thread[1].trim()} ${thread[2]}`), ...frames], 1);
  }
  return stacks;
}

/** '    ffffffff8112 do_syscall_64 ([kernel.kallsyms])' */
function frameOfPerf(line: string): string {
  const [, symbol, object] = /^\s*[0-9a-f]+ (.*) \((.*)\)$/.exec(line) ?? [];
  if (symbol === undefined) return clean(line.trim());
  if (symbol === '[unknown]') return clean(`[${object.split('/').at(-1)}]`);
  // The kernel and its modules are in brackets, and so is what V8 compiled, which is not the kernel's.
  if (/^\[(?!unknown|JIT|anon|heap|stack|vdso)/.test(object)) return `${clean(symbol)}${Mark.kernel}`;
  const script = scriptFrame(symbol);
  return script === undefined ? clean(symbol.replace(/\+0x[0-9a-f]+$/, '')) : script;
}

/** What V8 calls its functions: 'JS:*forward file:///…/engine/forwarder.js:12:3', '*' for optimised code. */
function scriptFrame(symbol: string): string | undefined {
  const found = /^(?:JS|LazyCompile|Function|Eval|Script):([*^~+]?)\s*(.*)$/.exec(symbol);
  if (!found) return undefined;
  // Without a name, a function is its place.
  const [, name, url] = /^(?:(.*) )?(\S*:\d+:\d+)$/.exec(found[2]) ?? [undefined, found[2], ''];
  return `${clean(name || '(anonymous)')}${placeText(url)}${Mark.script}`;
}

/** ' dist/engine/forwarder.js:12' of a URL: enough to find it. */
function placeText(url: string): string {
  const place = /([^/]+\/)?([^/]+?):(\d+)(?::\d+)?$/.exec(url);
  return place ? ` ${place[1] ?? ''}${place[2]}:${place[3]}` : '';
}

/** Of a `.cpuprofile`: what of it is read. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
    readonly hitCount?: number;
  }[];
}

/** What V8 does when it does nothing. */
const IDLE = new Set(['(idle)', '(root)']);

/** Samples in which the thread was idle are left out; time in system calls is their caller's. */
export function stacksOfV8(profile: CpuProfile, thread: string): Stacks {
  const stacks = new Map<string, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  for (const { id, hitCount = 0 } of profile.nodes) {
    const frames: string[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = nodes.get(at)?.callFrame;
      if (frame && frame.functionName !== '(root)') frames.unshift(frameOfV8(frame));
    }
    const own = nodes.get(id)?.callFrame.functionName ?? '';
    if (hitCount > 0 && !IDLE.has(own)) add(stacks, [thread, ...frames], hitCount);
  }
  return stacks;
}

function frameOfV8({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const place = url === '' ? '' : placeText(`${url}:${lineNumber + 1}`);
  return `${clean(functionName || '(anonymous)')}${place}${Mark.script}`;
}

/** All of several, each as it is. */
export function joined(all: readonly Stacks[]): Stacks {
  const stacks = new Map<string, number>();
  for (const one of all)
    for (const [stack, count] of one) stacks.set(stack, (stacks.get(stack) ?? 0) + count);
  return stacks;
}

function add(stacks: Map<string, number>, frames: readonly string[], count: number): void {
  const stack = frames.join(';');
  stacks.set(stack, (stacks.get(stack) ?? 0) + count);
}

const clean = (name: string): string => name.replaceAll(';', ':');
