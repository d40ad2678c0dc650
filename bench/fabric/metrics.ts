/** What is measured: every figure's name, unit and which way is better. */

export const metrics = {
  gbits: { title: 'throughput', unit: 'Gbit/s', better: 'more' },
  cpuPerGbit: { title: 'CPU a Gbit', unit: 'ms', better: 'less' },
  kpps: { title: 'packets', unit: 'kpps', better: 'more' },
  cpuPerPacket: { title: 'CPU a packet', unit: 'µs', better: 'less' },
  loss: { title: 'lost', unit: '%', better: 'less' },
  reordered: { title: 'out of order', unit: '%', better: 'less' },
  p50: { title: 'p50', unit: 'µs', better: 'less' },
  p99: { title: 'p99', unit: 'µs', better: 'less' },
  p999: { title: 'p99.9', unit: 'µs', better: 'less' },
  connections: { title: 'connections', unit: '1/s', better: 'more' },
  idleCpu: { title: 'CPU, idle', unit: '% of a core', better: 'less' },
  memory: { title: 'resident memory, a node', unit: 'MB', better: 'less' },
} as const satisfies Record<string, { title: string; unit: string; better: 'more' | 'less' }>;

export type Metric = keyof typeof metrics;
export type Figures = Partial<Record<Metric, number>>;
